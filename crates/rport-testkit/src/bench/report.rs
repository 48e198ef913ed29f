//! Figures to Markdown.

use std::fmt::Write as _;

/// One row: a metric, with samples per system.
#[derive(Debug, Clone)]
struct Row {
    metric: String,
    unit: &'static str,
    samples: Vec<Vec<f64>>,
}

/// A table of metrics (down) by systems (across).
#[derive(Debug, Clone)]
pub struct Table {
    title: String,
    systems: Vec<String>,
    rows: Vec<Row>,
}

impl Table {
    /// An empty table.
    pub fn new(title: &str, systems: &[&str]) -> Self {
        let systems = systems.iter().map(|&system| system.to_owned()).collect();
        Self {
            title: title.to_owned(),
            systems,
            rows: Vec::new(),
        }
    }

    /// Adds one sample. Metrics appear in the order of their first sample.
    pub fn add(&mut self, metric: &str, unit: &'static str, system: &str, value: f64) {
        let Some(column) = self.systems.iter().position(|known| known == system) else {
            return;
        };
        let columns = self.systems.len();
        let at = self
            .rows
            .iter()
            .position(|row| row.metric == metric)
            .unwrap_or_else(|| {
                self.rows.push(Row {
                    metric: metric.to_owned(),
                    unit,
                    samples: vec![Vec::new(); columns],
                });
                self.rows.len() - 1
            });
        self.rows[at].samples[column].push(value);
    }

    /// The table as Markdown: median over the samples, with the range when there are several.
    pub fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n| metric | unit |", self.title);
        for system in &self.systems {
            let _ = write!(text, " {system} |");
        }
        text.push_str("\n|---|---|");
        text.push_str(&"---:|".repeat(self.systems.len()));
        text.push('\n');
        for row in &self.rows {
            let _ = write!(text, "| {} | {} |", row.metric, row.unit);
            for samples in &row.samples {
                let _ = write!(text, " {} |", cell(samples));
            }
            text.push('\n');
        }
        text
    }
}

fn cell(samples: &[f64]) -> String {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.as_slice() {
        [] => "-".to_owned(),
        [only] => format!("**{}**", number(*only)),
        [first, .., last] => {
            let middle = sorted.len() / 2;
            let median = if sorted.len() % 2 == 1 {
                sorted[middle]
            } else {
                f64::midpoint(sorted[middle - 1], sorted[middle])
            };
            format!("**{}** [{}–{}]", number(median), number(*first), number(*last))
        }
    }
}

/// Three digits that mean something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn cells_are_medians_with_their_range() {
        let mut table = Table::new("t", &["a", "b"]);
        for value in [3.0, 1.0, 2.0] {
            table.add("speed", "MB/s", "a", value);
        }
        table.add("speed", "MB/s", "nobody", 9.0);
        assert_eq!(
            table.markdown(),
            "### t\n\n| metric | unit | a | b |\n|---|---|---:|---:|\n| speed | MB/s | **2.00** [1.00–3.00] | - |\n"
        );
    }
}
