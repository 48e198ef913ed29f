//! The text of one line.

use std::{
    fmt::{self, Write},
    net::IpAddr,
    time::Duration,
};

use chrono::{DateTime, FixedOffset};
use tracing::{
    Level,
    field::{Field, Visit},
};

/// Longest line in bytes; what is longer is cut with `…`.
const MAX_LINE: usize = 16 * 1024;

/// Sentence and fields of an event, or fields of a span.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) message: String,
    /// ` name=value` for each field, ready to append.
    pub(super) rest: String,
}

impl Fields {
    fn add(&mut self, field: &Field, value: &dyn fmt::Display) {
        if field.name() == "message" {
            escape(&mut self.message, &value.to_string());
            return;
        }
        let value = value.to_string();
        // Writing to a string cannot fail.
        let _ = write!(self.rest, " {}=", field.name());
        if value.is_empty() || value.contains([' ', '"', '=', '\t', '\n']) {
            self.rest.push('"');
            escape(&mut self.rest, &value.replace('"', "\\\""));
            self.rest.push('"');
        } else {
            escape(&mut self.rest, &value);
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, &value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            let _ = write!(text, ": {error}");
            source = error.source();
        }
        self.add(field, &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format_args!("{value:?}"));
    }
}

/// Appends text with everything escaped that could start a line or fool a terminal: control characters, Unicode line
/// breaks and marks that change the direction of writing.
pub(super) fn escape(into: &mut String, text: &str) {
    for c in text.chars() {
        let harmless = !c.is_control()
            && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if harmless {
            into.push(c);
        } else {
            into.extend(c.escape_default());
        }
    }
}

/// A whole line, with its newline.
pub(super) fn event(
    time: DateTime<FixedOffset>,
    level: Level,
    prefix: &str,
    fields: &Fields,
    spans: &str,
) -> String {
    let level = match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        _ => "debug",
    };
    let time = time.format("%Y/%m/%d %H:%M:%S");
    let Fields { message, rest } = fields;
    cut(format!("{time} {level}: {prefix}: {message}{rest}{spans}"))
}

/// A whole HTTP request line, with its newline.
pub(super) fn request_event(time: DateTime<FixedOffset>, text: &str) -> String {
    cut(format!("{} {text}", time.format("%Y/%m/%d %H:%M:%S%.3f")))
}

fn cut(mut line: String) -> String {
    if line.len() > MAX_LINE {
        let end = line.floor_char_boundary(MAX_LINE);
        line.truncate(end);
        line.push('…');
    }
    line.push('\n');
    line
}

/// The part of an HTTP request line behind the time.
pub(super) fn request(
    method: &str,
    path: &str,
    status: u16,
    took: Duration,
    size: u64,
    peer: Option<IpAddr>,
) -> String {
    let took = match took.as_micros() {
        micros @ 0..1_000 => format!("{micros}µs"),
        micros @ 1_000..10_000_000 => format!("{}ms", micros / 1_000),
        micros => format!("{}s", micros / 1_000_000),
    };
    let mut line = format!("{method} {path} {status} {took}");
    if size > 0 {
        line.push(' ');
        line.push_str(&human_size(size));
    }
    if let Some(peer) = peer
        .map(|peer| peer.to_canonical())
        .filter(|peer| !is_own_address(peer))
    {
        let _ = write!(line, " ({peer})");
    }
    line
}

fn is_own_address(peer: &IpAddr) -> bool {
    matches!(peer, IpAddr::V4(v4) if v4.octets() == [127, 0, 0, 1])
        || matches!(peer, IpAddr::V6(v6) if v6.is_loopback())
}

fn human_size(size: u64) -> String {
    let mut value = size as f64;
    let mut unit = "B";
    for next in ["KB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "B" {
        format!("{size}B")
    } else {
        format!("{value:.1}{unit}")
    }
}

/// The prefix of a line: the program, and the crate's part if it is not the program itself.
pub(super) fn prefix(root: &str, target: &str) -> String {
    let crate_name = target.split("::").next().unwrap_or_default();
    match crate_name {
        "rportd" | "rport" | "rport_server" | "rport_agent" | "rport_runtime" => root.to_owned(),
        "rport_http" => format!("{root}: api"),
        "rport_transport" => format!("{root}: link"),
        other => format!("{root}: {}", other.strip_prefix("rport_").unwrap_or(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_cannot_forge_a_line() {
        let mut text = String::new();
        escape(
            &mut text,
            "web\n2026/11/23 12:00:00 info: x\r\u{1b}[2J\u{2028}\u{202e}\u{85}\u{0} ünïcode",
        );
        assert_eq!(
            text,
            "web\\n2026/11/23 12:00:00 info: x\\r\\u{1b}[2J\\u{2028}\\u{202e}\\u{85}\\u{0} ünïcode"
        );
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let line = cut("é".repeat(MAX_LINE));
        assert!(line.len() <= MAX_LINE + 4 && line.ends_with("é…\n"));
    }

    #[test]
    fn prefixes_name_the_part_of_the_program() {
        for (target, expected) in [
            ("rport_server::clients::registry", "server"),
            ("rportd", "server"),
            ("rport_http::routes", "server: api"),
            ("rport_tunnel", "server: tunnel"),
            ("rport_store::clients", "server: store"),
            ("hyper::proto", "server: hyper"),
        ] {
            assert_eq!(prefix("server", target), expected);
        }
        assert_eq!(prefix("client", "rport_transport::ssh"), "client: link");
    }

    #[test]
    fn request_lines_keep_the_form_log_watchers_know() {
        let peer = Some(IpAddr::from([203, 0, 113, 7]));
        let line = |status, micros, size, peer| {
            request("GET", "/x", status, Duration::from_micros(micros), size, peer)
        };
        assert_eq!(line(404, 3_400, 0, peer), "GET /x 404 3ms (203.0.113.7)");
        assert_eq!(line(200, 20, 19, peer), "GET /x 200 20µs 19B (203.0.113.7)");
        assert_eq!(line(200, 12_000_000, 1_234, None), "GET /x 200 12s 1.2KB");
        assert_eq!(
            line(200, 0, 0, Some(IpAddr::from([127, 0, 0, 1]))),
            "GET /x 200 0µs"
        );
        assert_eq!(
            line(200, 0, 0, Some("::1".parse().expect("address"))),
            "GET /x 200 0µs"
        );
        assert_eq!(
            line(404, 0, 0, Some("::ffff:203.0.113.7".parse().expect("address"))),
            "GET /x 404 0µs (203.0.113.7)"
        );
    }
}
