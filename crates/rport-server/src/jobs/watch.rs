//! Somebody who watches jobs.

use super::news::JobNews;
use crate::actor::Actor;

/// Hears of jobs until all of them have ended. A slow one loses output and is told how much; nobody waits for it.
#[derive(Debug)]
pub struct JobWatch;

impl JobWatch {
    /// The next news that `actor` may hear; `None` when all has ended. Cancel-safe.
    pub async fn next(&mut self, _actor: &Actor) -> Option<JobNews> {
        None
    }
}
