//! From tracing events to lines.

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::Visit,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_subscriber::{Layer, filter::LevelFilter, layer::Context, registry::LookupSpan};

use super::{
    REQUEST_TARGET,
    line::{self, Fields},
    writer::Sender,
};
use crate::Clock;

/// Fields that only tell tasks apart; a line without them reads better.
const TASK_SPAN: &str = "task";

pub(super) struct LineLayer {
    root: &'static str,
    level: Level,
    clock: Clock,
    sender: Sender,
}

impl LineLayer {
    pub(super) fn new(root: &'static str, level: Level, sender: Sender) -> Self {
        Self {
            root,
            level,
            clock: Clock::system(),
            sender,
        }
    }

    /// Whether events like this get a line. Libraries speak up only when something is wrong: their idea of
    /// information is not the operator's.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("rport");
        *metadata.level()
            <= if ours {
                self.level
            } else {
                self.level.min(Level::WARN)
            }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LineLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.into())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id).filter(|span| span.name() != TASK_SPAN) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields as &mut dyn Visit);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let now = self.clock.now_local();
        if metadata.target() == REQUEST_TARGET {
            self.sender.send(line::request_event(now, &fields.message));
            return;
        }
        let mut spans = String::new();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                spans.push_str(&fields.rest);
            }
        }
        let prefix = line::prefix(self.root, metadata.target());
        self.sender
            .send(line::event(now, *metadata.level(), &prefix, &fields, &spans));
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io, path::Path};

    use tracing_subscriber::{Registry, layer::SubscriberExt};

    use super::*;
    use crate::telemetry::writer::{Output, Writer};

    /// Runs something with a log at `level` and returns the lines without their times.
    fn lines_of(level: Level, work: impl FnOnce()) -> Vec<String> {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("log");
        let writer = Writer::start(Output::File(path.clone())).expect("started");
        let layer = LineLayer::new("server", level, writer.sender());
        tracing::subscriber::with_default(Registry::default().with(layer), work);
        writer.flush(std::time::Duration::from_secs(10));
        read(&path)
    }

    fn read(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).expect("readable");
        let without_time = |line: &str| {
            let time = regex::Regex::new(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(\.\d{3})? ").expect("sound");
            assert!(time.is_match(line), "{line}");
            time.replace(line, "").into_owned()
        };
        text.lines().map(without_time).collect()
    }

    #[test]
    fn an_event_is_one_line_with_its_fields_and_those_of_its_spans() {
        let lines = lines_of(Level::INFO, || {
            let span = tracing::info_span!(target: "rport_server", "connection", client.id = "web 1");
            let _entered = span.enter();
            let error = io::Error::other("broken \"pipe\"\nforged");
            tracing::info!(target: "rport_server", port = 22, "agent\nconnected");
            tracing::warn!(target: "rport_http", error = &error as &dyn std::error::Error, empty = "", "odd");
        });
        assert_eq!(
            lines,
            [
                r#"info: server: agent\nconnected port=22 client.id="web 1""#,
                r#"warn: server: api: odd error="broken \"pipe\"\nforged" empty="" client.id="web 1""#,
            ]
        );
    }

    #[test]
    fn levels_filter_and_libraries_are_quiet() {
        let log = || {
            tracing::debug!(target: "rport_server", "why");
            tracing::info!(target: "rport_server", "what");
            tracing::warn!(target: "rport_server", "hm");
            tracing::error!(target: "rport_server", "ouch");
            tracing::info!(target: "hyper", "chatter");
            tracing::warn!(target: "hyper", "trouble");
            super::super::request_line("GET", "/", 200, std::time::Duration::ZERO, 0, None);
        };
        assert_eq!(lines_of(Level::ERROR, log), ["error: server: ouch"]);
        assert_eq!(
            lines_of(Level::INFO, log),
            [
                "info: server: what",
                "warn: server: hm",
                "error: server: ouch",
                "warn: server: hyper: trouble",
                "GET / 200 0µs"
            ]
        );
        assert_eq!(lines_of(Level::DEBUG, log)[0], "debug: server: why");
    }
}
