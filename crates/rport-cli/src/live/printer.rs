//! Output of many clients, line by line, each line with the name of its client before it.

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
};

use serde_json::Value;

use super::harmless;
use crate::{
    failure::Result,
    output::{clean_line, width},
};

/// A line is not kept for longer than this, in bytes.
const LONGEST_LINE: usize = 64 * 1024;
/// Names are not padded beyond this, in columns.
const WIDEST: usize = 24;
/// Colours of names, one after another.
const COLOURS: [u8; 6] = [36, 32, 33, 35, 34, 96];

/// How output is shown.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Style {
    /// Leave out the names of clients before their output
    #[arg(long)]
    pub(crate) no_prefix: bool,
    /// Show output as it is, even if it steers the terminal
    #[arg(long)]
    pub(crate) raw: bool,
}

/// One of the two streams, and where it is shown here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    const BOTH: [(Self, &'static str); 2] = [(Self::Stdout, "stdout"), (Self::Stderr, "stderr")];

    fn mark(self) -> char {
        match self {
            Self::Stdout => '|',
            Self::Stderr => '!',
        }
    }
}

/// What is known about the output of a job.
#[derive(Debug, Default)]
struct Seen {
    /// The beginning of a line, by stream.
    partial: HashMap<Stream, String>,
    /// Bytes that came, by stream.
    bytes: HashMap<Stream, usize>,
    skipped: bool,
}

/// Writes output to the standard streams.
pub(crate) struct Printer {
    style: Style,
    /// Whether output is shown at all: other formats than those for people have it in the results.
    shown: bool,
    terminal: [bool; 2],
    colour: [bool; 2],
    jobs: HashMap<String, Seen>,
    /// Clients by id, in the order in which they first said something.
    clients: HashMap<String, usize>,
    room: usize,
}

impl Printer {
    /// Writes to the standard streams; nothing unless `shown`.
    pub(crate) fn new(style: Style, shown: bool) -> Self {
        let terminal = [io::stdout().is_terminal(), io::stderr().is_terminal()];
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            style,
            shown,
            terminal,
            colour: terminal.map(|terminal| terminal && !plain),
            jobs: HashMap::new(),
            clients: HashMap::new(),
            room: 0,
        }
    }

    /// A piece of output as the server sends it.
    pub(crate) fn chunk(&mut self, frame: &Value) -> Result<()> {
        if !self.shown {
            return Ok(());
        }
        for (stream, member) in Stream::BOTH {
            let text = frame["result"][member].as_str().unwrap_or_default();
            if text.is_empty() {
                continue;
            }
            let seen = self.seen(frame);
            *seen.bytes.entry(stream).or_default() += text.len();
            let mut partial = seen.partial.remove(&stream).unwrap_or_default();
            partial.push_str(text);
            let rest = self.lines(frame, stream, &partial)?;
            self.seen(frame).partial.insert(stream, rest);
        }
        if let Some(bytes) = frame["skipped"].as_u64() {
            self.seen(frame).skipped = true;
            self.told(
                frame,
                &format!("[{bytes} bytes left out: too fast for this terminal]"),
            )?;
        }
        Ok(())
    }

    /// The end of a job: what has not been shown of its output is.
    pub(crate) fn finished(&mut self, job: &Value) -> Result<()> {
        if !self.shown {
            return Ok(());
        }
        let mut missing = 0;
        for (stream, member) in Stream::BOTH {
            let seen = self.seen(job);
            let partial = seen.partial.remove(&stream).unwrap_or_default();
            let shown = seen.bytes.get(&stream).copied().unwrap_or_default();
            let whole = job["result"][member].as_str().unwrap_or_default();
            if shown == 0 && !self.seen(job).skipped {
                let rest = self.lines(job, stream, whole)?;
                self.rest(job, stream, &rest)?;
            } else {
                self.rest(job, stream, &partial)?;
                missing += whole.len().saturating_sub(shown);
            }
        }
        if missing > 0 && !self.seen(job).skipped {
            let (id, client) = (
                job["jid"].as_str().unwrap_or_default(),
                job["client_id"].as_str().unwrap_or_default(),
            );
            self.told(
                job,
                &format!("[{missing} bytes came unheard; rportcli jobs show {id} -c {client} has them]"),
            )?;
        }
        self.jobs.remove(job["jid"].as_str().unwrap_or_default());
        Ok(())
    }

    fn seen(&mut self, frame: &Value) -> &mut Seen {
        let id = frame["jid"].as_str().unwrap_or_default();
        self.jobs.entry(id.to_owned()).or_default()
    }

    /// Writes the whole lines of a text and returns what follows them.
    fn lines(&mut self, frame: &Value, stream: Stream, text: &str) -> Result<String> {
        let mut rest = text;
        // Progress bars return to the beginning of their line, which is a line of its own here.
        while let Some(end) = rest.find(['\n', '\r']) {
            let (line, after) = rest.split_at(end);
            if after == "\r" {
                // The line feed may still be under way.
                break;
            }
            rest = after
                .strip_prefix("\r\n")
                .or_else(|| after.strip_prefix(['\n', '\r']))
                .unwrap_or(after);
            self.line(frame, stream, line)?;
        }
        if rest.len() > LONGEST_LINE {
            self.line(frame, stream, rest)?;
            return Ok(String::new());
        }
        Ok(rest.to_owned())
    }

    fn rest(&mut self, frame: &Value, stream: Stream, rest: &str) -> Result<()> {
        let rest = rest.trim_end_matches('\r');
        if rest.is_empty() {
            return Ok(());
        }
        self.line(frame, stream, rest)
    }

    /// A line of ours about a client's output.
    fn told(&mut self, frame: &Value, line: &str) -> Result<()> {
        let prefix = self.prefix(frame, Stream::Stderr);
        // Nobody is left to hear that standard error is gone.
        let _ = writeln!(io::stderr(), "{prefix}{line}");
        Ok(())
    }

    fn line(&mut self, frame: &Value, stream: Stream, line: &str) -> Result<()> {
        let terminal = self.terminal[stream as usize];
        let prefix = if self.style.no_prefix {
            String::new()
        } else {
            self.prefix(frame, stream)
        };
        let text = if terminal && !self.style.raw {
            harmless(line)
        } else {
            line.to_owned()
        };
        match stream {
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                writeln!(stdout, "{prefix}{text}")?;
                stdout.flush()?;
            }
            Stream::Stderr => {
                let _ = writeln!(io::stderr(), "{prefix}{text}");
            }
        }
        Ok(())
    }

    /// The client's name, padded to the longest so far, and a mark for the stream.
    fn prefix(&mut self, frame: &Value, stream: Stream) -> String {
        let id = frame["client_id"].as_str().unwrap_or_default();
        let name = match frame["client_name"].as_str() {
            Some(name) if !name.is_empty() => name,
            _ => id,
        };
        let next = self.clients.len();
        let number = *self.clients.entry(id.to_owned()).or_insert(next);
        let name = clean_line(name);
        self.room = self.room.max(width(&name).min(WIDEST));
        let gap = " ".repeat(self.room.saturating_sub(width(&name)));
        let mark = stream.mark();
        if !self.colour[stream as usize] {
            return format!("{name}{gap} {mark} ");
        }
        let colour = COLOURS[number % COLOURS.len()];
        let mark = match stream {
            Stream::Stdout => mark.to_string(),
            Stream::Stderr => format!("\u{1b}[31m{mark}\u{1b}[0m"),
        };
        format!("\u{1b}[{colour}m{name}\u{1b}[0m{gap} {mark} ")
    }
}
