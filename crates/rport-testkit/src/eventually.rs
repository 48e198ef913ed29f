//! Waiting for a state instead of for a time.

use std::{
    fmt::Display,
    future::Future,
    time::{Duration, Instant},
};

/// Pause after the first look at the state; each further one is a quarter longer, up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(5);
/// Short enough that no test is slow because of it, long enough that looking costs nothing.
const LONGEST: Duration = Duration::from_millis(50);

/// The pauses between looks.
struct Pauses(Duration);

impl Pauses {
    fn new() -> Self {
        Self(SHORTEST)
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = LONGEST.min(self.0 * 5 / 4);
    }
}

/// Looks at a state until it is as wanted.
///
/// `what` completes the sentence "waited in vain for …". `look` returns `None` while the state is not there yet.
///
/// # Panics
///
/// When the state is not there within `limit`: a test that waits in vain has failed.
#[track_caller]
pub fn eventually<T, F>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    let what = what.to_owned();
    let caller = std::panic::Location::caller();
    async move {
        let (start, mut pauses) = (Instant::now(), Pauses::new());
        loop {
            if let Some(value) = look().await {
                return value;
            }
            assert!(
                start.elapsed() < limit,
                "waited {limit:?} in vain for {what} (at {caller})"
            );
            pauses.pause().await;
        }
    }
}

/// Like [`eventually`] for a look that can fail; the last failure is part of the message.
///
/// # Panics
///
/// When there was no success within `limit`.
#[track_caller]
pub fn eventually_ok<T, E, F>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> impl Future<Output = T>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let what = what.to_owned();
    let caller = std::panic::Location::caller();
    async move {
        let (start, mut pauses) = (Instant::now(), Pauses::new());
        loop {
            match look().await {
                Ok(value) => return value,
                Err(error) => {
                    assert!(
                        start.elapsed() < limit,
                        "waited {limit:?} in vain for {what}: {error} (at {caller})"
                    );
                }
            }
            pauses.pause().await;
        }
    }
}
