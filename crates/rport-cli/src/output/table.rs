//! Tables: aligned columns for people, comma-separated values for spreadsheets.

use serde_json::Value;

use super::{
    text::{clean_line, cut, width},
    time::{Moment, nanoseconds},
};
use crate::failure::{Failure, Result};

/// No column is cut below this.
const NARROWEST: usize = 8;
const GAP: &str = "  ";

/// How a value is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As it is; lists with commas.
    Text,
    /// RFC 3339: relative in tables, exact elsewhere.
    Time,
    /// Nanoseconds.
    Nanoseconds,
    /// How many elements a list has.
    Count,
    /// True as `yes`, false as nothing.
    Flag,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Headline.
    pub(crate) title: &'static str,
    /// Member of the item; with slashes a path as in a JSON pointer.
    pub(crate) key: &'static str,
    /// How its value is told.
    pub(crate) kind: Kind,
    /// Whether only `-o wide` has it.
    pub(crate) wide: bool,
}

impl Column {
    /// A column of texts.
    pub(crate) const fn text(title: &'static str, key: &'static str) -> Self {
        Self::of(title, key, Kind::Text)
    }

    /// A column of times.
    pub(crate) const fn time(title: &'static str, key: &'static str) -> Self {
        Self::of(title, key, Kind::Time)
    }

    /// A column of any kind.
    pub(crate) const fn of(title: &'static str, key: &'static str, kind: Kind) -> Self {
        Self {
            title,
            key,
            kind,
            wide: false,
        }
    }

    /// The same column, for `-o wide` only.
    pub(crate) const fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    fn value<'a>(&self, item: &'a Value) -> &'a Value {
        let found = if self.key.contains('/') {
            item.pointer(self.key)
        } else {
            item.get(self.key)
        };
        found.unwrap_or(&Value::Null)
    }

    fn cell(&self, item: &Value, exact: bool, now: Moment) -> String {
        let value = self.value(item);
        let text = match (self.kind, value) {
            (Kind::Time, Value::String(time)) if !exact => now.relative(time),
            (Kind::Nanoseconds, Value::Number(count)) => nanoseconds(count.as_u64().unwrap_or_default()),
            (Kind::Count, Value::Array(items)) => items.len().to_string(),
            (Kind::Flag, Value::Bool(flag)) => if *flag { "yes" } else { "" }.to_owned(),
            (_, value) => plain(value),
        };
        clean_line(&text)
    }
}

/// A value on one line.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !matches!(value, Value::Null | Value::Bool(false)))
            .map(|(key, value)| match value {
                Value::Bool(true) => key.clone(),
                value => format!("{key}={}", plain(value)),
            })
            .collect::<Vec<_>>()
            .join(","),
        other => other.to_string(),
    }
}

/// Cells, row by row.
pub(super) struct Table {
    titles: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[Column], items: &[Value], wide: bool, now: Moment) -> Self {
        let shown: Vec<&Column> = columns.iter().filter(|column| wide || !column.wide).collect();
        let row = |item| shown.iter().map(|column| column.cell(item, wide, now)).collect();
        Self {
            titles: shown.iter().map(|column| column.title).collect(),
            rows: items.iter().map(row).collect(),
        }
    }

    /// The widths of the columns: what they need, less when all of them together do not fit. The widest give first.
    fn widths(&self, headers: bool, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .titles
            .iter()
            .enumerate()
            .map(|(n, title)| {
                let title = if headers { width(title) } else { 0 };
                let cells = self
                    .rows
                    .iter()
                    .filter_map(|row| row.get(n))
                    .map(|cell| width(cell));
                cells.max().unwrap_or(0).max(title)
            })
            .collect();
        let Some(limit) = limit else {
            return widths;
        };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > limit {
            match widths.iter_mut().max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        widths
    }

    /// The table as text.
    pub(super) fn render(&self, headers: bool, limit: Option<usize>, colour: bool) -> String {
        let widths = self.widths(headers, limit);
        let mut text = String::new();
        if headers {
            let titles: Vec<String> = self.titles.iter().map(|title| (*title).to_owned()).collect();
            let line = line(&titles, &widths);
            text.push_str(&if colour {
                format!("\u{1b}[1m{line}\u{1b}[0m")
            } else {
                line
            });
            text.push('\n');
        }
        for row in &self.rows {
            text.push_str(&line(row, &widths));
            text.push('\n');
        }
        text
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (n, (cell, &room)) in cells.iter().zip(widths).enumerate() {
        let cell = cut(cell, room);
        line.push_str(&cell);
        if n + 1 < cells.len() {
            line.push_str(&" ".repeat(room.saturating_sub(width(&cell))));
            line.push_str(GAP);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// One thing, a line per column.
pub(super) fn record(columns: &[Column], item: &Value, wide: bool, colour: bool, now: Moment) -> String {
    let shown: Vec<(&str, String)> = columns
        .iter()
        .filter(|column| wide || !column.wide)
        .map(|column| (column.title, column.cell(item, wide, now)))
        .filter(|(_, cell)| wide || !cell.is_empty())
        .collect();
    let room = shown.iter().map(|(title, _)| width(title)).max().unwrap_or(0);
    let (on, off) = if colour {
        ("\u{1b}[1m", "\u{1b}[0m")
    } else {
        ("", "")
    };
    let line = |(title, cell): &(&str, String)| {
        let gap = " ".repeat(room - width(title));
        format!("{on}{title}{off}{gap}{GAP}{cell}").trim_end().to_owned() + "\n"
    };
    shown.iter().map(line).collect()
}

/// All columns of all items as comma-separated values with exact times.
///
/// # Errors
/// Never in practice: it is written to memory.
pub(super) fn csv(columns: &[Column], items: &[Value], headers: bool) -> Result<String> {
    let wrong = |error: csv::Error| Failure::error(format!("cannot write CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    if headers {
        let names = columns
            .iter()
            .map(|column| column.key.trim_start_matches('/').replace('/', "."));
        writer.write_record(names).map_err(wrong)?;
    }
    for item in items {
        let cells = columns.iter().map(|column| guarded(plain(column.value(item))));
        writer.write_record(cells).map_err(wrong)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Failure::error(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A spreadsheet takes a cell that starts like a formula for one, and the names of machines are chosen by whoever runs
/// them; an apostrophe makes it a text.
fn guarded(cell: String) -> String {
    match cell.as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') if cell.parse::<f64>().is_err() => format!("'{cell}"),
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: [Column; 5] = [
        Column::text("ID", "id"),
        Column::text("NAME", "name"),
        Column::time("SEEN", "seen"),
        Column::of("TUNNELS", "tunnels", Kind::Count),
        Column::text("OS", "/about/os").wide(),
    ];

    fn items() -> Vec<Value> {
        vec![
            json!({ "id": "a", "name": "a long name\u{1b}[2J", "seen": "2026-01-10T11:59:00Z", "tunnels": [1, 2] }),
            json!({ "id": "bcd", "name": "=1+2", "seen": null, "tunnels": [], "about": { "os": "linux" } }),
        ]
    }

    fn render(wide: bool, headers: bool, limit: Option<usize>) -> String {
        let now = Moment::at("2026-01-10T12:00:00Z");
        Table::new(&COLUMNS, &items(), wide, now).render(headers, limit, false)
    }

    #[test]
    fn columns_are_aligned() {
        assert_eq!(
            render(false, true, None),
            "ID   NAME             SEEN    TUNNELS\n\
             a    a long name\u{fffd}[2J  1m ago  2\n\
             bcd  =1+2                     0\n"
        );
        assert!(render(true, false, None).contains("2026-01-10T11:59:00Z"));
        assert!(render(true, true, None).contains("linux"));
    }

    #[test]
    fn the_widest_column_gives_way() {
        let text = render(false, true, Some(32));
        assert!(text.contains("a long na…"), "{text}");
        for line in text.lines() {
            assert!(width(line) <= 32, "{line}");
        }
        // Narrower than any table can be: it is still readable rather than empty.
        assert!(render(false, true, Some(3)).contains("bcd"));
    }

    #[test]
    fn a_record_leaves_out_what_is_empty() {
        let now = Moment::at("2026-01-10T12:00:00Z");
        let text = record(&COLUMNS, &items()[1], false, false, now);
        assert_eq!(text, "ID       bcd\nNAME     =1+2\nTUNNELS  0\n");
        assert!(record(&COLUMNS, &items()[1], true, false, now).contains("SEEN\n"));
    }

    #[test]
    fn comma_separated_values_are_no_formulas() {
        let text = csv(&COLUMNS, &items(), true).expect("written");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "id,name,seen,tunnels,about.os");
        assert_eq!(lines[2], "bcd,'=1+2,,,linux");
        assert_eq!(guarded("-5".to_owned()), "-5");
    }

    #[test]
    fn objects_and_flags() {
        let item =
            json!({ "may": { "a": true, "b": false, "n": 3 }, "off": true, "left": 90_000_000_000_u64 });
        let now = Moment::at("2026-01-10T12:00:00Z");
        assert_eq!(Column::text("", "may").cell(&item, false, now), "a,n=3");
        assert_eq!(Column::of("", "off", Kind::Flag).cell(&item, false, now), "yes");
        assert_eq!(
            Column::of("", "left", Kind::Nanoseconds).cell(&item, false, now),
            "1m"
        );
    }
}
