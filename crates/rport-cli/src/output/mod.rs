//! What the operator and their scripts read on standard output.

mod page;
mod qr;
mod table;
mod text;
mod time;

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde_json::Value;

pub(crate) use page::PageArgs;
pub(crate) use qr::draw as draw_qr;
pub(crate) use table::{Column, Kind};
pub(crate) use text::{clean, clean_line, clean_line_but_tabs, width};
pub(crate) use time::{Moment, parse_age, parse_duration, parse_expiry};

use crate::failure::{Failure, Result};

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, cut to the width of the terminal, relative times
    #[value(alias = "human")]
    Table,
    /// More columns, exact times, nothing cut
    Wide,
    /// One JSON document: what the server said, indented
    #[value(alias = "yaml")]
    Json,
    /// One JSON document per line
    Jsonl,
    /// Comma-separated values with a header line
    Csv,
}

/// Standard output.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    format: Format,
    headers: bool,
    /// In characters; nothing is cut without it.
    width: Option<usize>,
    colour: bool,
}

impl Output {
    /// Writes in this format; `headers` says whether tables and CSV start with the names of their columns.
    pub(crate) fn new(format: Format, headers: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let colour = terminal
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let width = if terminal { terminal_width() } else { None };
        Self {
            format,
            headers,
            width,
            colour,
        }
    }

    /// Whether a person reads.
    pub(crate) fn for_people(&self) -> bool {
        matches!(self.format, Format::Table | Format::Wide)
    }

    /// Whether people asked for everything.
    pub(crate) fn wide(&self) -> bool {
        self.format == Format::Wide
    }

    /// Writes a list.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(crate) fn list(&self, columns: &[Column], items: &[Value]) -> Result<()> {
        match self.format {
            Format::Table | Format::Wide => {
                let table = table::Table::new(columns, items, self.wide(), Moment::now());
                let width = self.width.filter(|_| !self.wide());
                self.text(&table.render(self.headers, width, self.colour))
            }
            Format::Json => self.json(&Value::Array(items.to_vec())),
            Format::Jsonl => items.iter().try_for_each(|item| self.line(&item.to_string())),
            Format::Csv => self.text(&table::csv(columns, items, self.headers)?),
        }
    }

    /// Whether a spreadsheet reads.
    pub(crate) fn is_csv(&self) -> bool {
        self.format == Format::Csv
    }

    /// Whether items are wanted together, at the end.
    pub(crate) fn collects(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes an item of a list that is still coming, where items are written one by one.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(crate) fn item(&self, item: &Value) -> Result<()> {
        match self.format {
            Format::Jsonl => self.line(&item.to_string()),
            _ => Ok(()),
        }
    }

    /// Ends a list that was written with [`Self::item`].
    ///
    /// # Errors
    /// When nobody takes it.
    pub(crate) fn items_end(&self, items: &[Value]) -> Result<()> {
        if self.collects() {
            return self.json(&Value::Array(items.to_vec()));
        }
        Ok(())
    }

    /// Writes a list that sums up what was written before: for people on standard error, so that standard output
    /// holds nothing else than that.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(crate) fn summary(&self, columns: &[Column], items: &[Value]) -> Result<()> {
        if !self.for_people() {
            return self.list(columns, items);
        }
        let table = table::Table::new(columns, items, self.wide(), Moment::now());
        let text = table.render(self.headers, self.width.filter(|_| !self.wide()), false);
        // Nobody is left to hear that standard error is gone.
        let _ = write!(io::stderr(), "{text}");
        Ok(())
    }

    /// Writes one thing: for people a line per column that has something to say.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(crate) fn record(&self, columns: &[Column], item: &Value) -> Result<()> {
        match self.format {
            Format::Table | Format::Wide => self.text(&table::record(
                columns,
                item,
                self.wide(),
                self.colour,
                Moment::now(),
            )),
            Format::Json => self.json(item),
            Format::Jsonl => self.line(&item.to_string()),
            Format::Csv => self.text(&table::csv(columns, std::slice::from_ref(item), self.headers)?),
        }
    }

    /// Tells a person that something was done. Scripts have the exit code for it.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(crate) fn done(&self, what: &str) -> Result<()> {
        if self.for_people() {
            self.line(&clean(what))?;
        }
        Ok(())
    }

    /// Writes a JSON document.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(crate) fn json(&self, value: &Value) -> Result<()> {
        let text = serde_json::to_string_pretty(value);
        self.line(&text.map_err(|error| Failure::error(error.to_string()))?)
    }

    /// Writes a line.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(crate) fn line(&self, line: &str) -> Result<()> {
        self.text(&format!("{line}\n"))
    }

    /// Writes a text as it is.
    ///
    /// # Errors
    /// When nobody takes it.
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When nobody takes them.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()?;
        Ok(())
    }
}

/// Tells the operator something beside the answer, on standard error.
pub(crate) fn note(text: &str) {
    // Nobody is left to hear that standard error is gone.
    let _ = writeln!(io::stderr(), "{}", clean(text));
}

/// Warns, in yellow where that shows.
pub(crate) fn warn(text: &str) {
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (on, off) = if colour {
        ("\u{1b}[1;33m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    // Nobody is left to hear that standard error is gone.
    let _ = writeln!(io::stderr(), "{on}WARNING: {}{off}", clean(text));
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&width| width > 0)
}
