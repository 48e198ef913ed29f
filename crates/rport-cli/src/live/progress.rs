//! A bar that tells how many clients are done, for people who wait for many.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::outcome::Outcome;
use crate::failure::Result;

/// Fewer clients need no bar.
const FEWEST: usize = 4;

/// The bar, where one is wanted.
pub(super) struct Progress {
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// No bar yet; one never comes unless people read.
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, bar: None }
    }

    /// Shows the bar, on standard error if that is a terminal.
    pub(super) fn start(&mut self, total: usize) {
        if !self.wanted || total < FEWEST || self.bar.is_some() {
            return;
        }
        let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.tick();
        self.bar = Some(bar);
    }

    /// Writes something without tearing the bar.
    pub(super) fn beside(&self, write: impl FnOnce() -> Result<()>) -> Result<()> {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Moves the bar.
    pub(super) fn set(&self, ended: usize, jobs: &[Value]) {
        let Some(bar) = &self.bar else { return };
        let bad = jobs
            .iter()
            .filter(|job| Outcome::of(job) != Outcome::Well)
            .count();
        if bad > 0 {
            bar.set_message(format!("({bad} not well)"));
        }
        bar.set_position(u64::try_from(ended).unwrap_or(u64::MAX));
    }

    /// Takes the bar away.
    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
