//! Whether the database answers at present, said once per change.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::provider::ProviderError;

pub(super) struct Outage {
    place: String,
    down: AtomicBool,
}

impl Outage {
    pub(super) fn new(place: String) -> Self {
        Self { place, down: AtomicBool::new(false) }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Learns from an answer. An error of the database that is not an outage leaves things as they are.
    pub(super) fn note<T>(&self, answer: &Result<T, ProviderError>) {
        match answer {
            Err(ProviderError::Unavailable(cause)) => {
                if !self.down.swap(true, Ordering::Relaxed) {
                    tracing::error!(source = self.place, cause,
                        "client auth database unavailable, new logins are refused; connected agents stay");
                }
            }
            Err(ProviderError::Failed(cause)) => {
                tracing::error!(source = self.place, cause, "client auth database refused a statement");
            }
            Ok(_) if self.down.load(Ordering::Relaxed) && self.down.swap(false, Ordering::Relaxed) => {
                tracing::info!(source = self.place, "client auth database available again");
            }
            _ => {}
        }
    }

    #[cfg(test)]
    fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unavailability_is_an_outage_and_only_an_answer_ends_it() {
        let outage = Outage::new("the table".into());
        outage.note::<()>(&Err(ProviderError::Exists("a".into())));
        assert!(!outage.is_down());
        outage.note::<()>(&Err(ProviderError::Unavailable("refused".into())));
        outage.note::<()>(&Err(ProviderError::Failed("no such column".into())));
        assert!(outage.is_down());
        outage.note(&Ok(()));
        assert!(!outage.is_down());
    }
}
