//! Growing, jittered pauses between attempts.

use std::time::Duration;

use crate::rng::SmallRng;

/// Tells how long to wait before the next attempt.
///
/// The ceiling starts at `min * factor` and grows by `factor` up to `max`; each pause is drawn evenly from
/// `min..=ceiling`. So two agents that lost the same server come back at different moments from the first try on.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    factor: f64,
    ceiling: Duration,
    attempt: u32,
    rng: SmallRng,
}

impl Backoff {
    /// Makes a back-off. A `max` below `min` counts as `min`, a factor below 1 as 1.
    pub fn new(min: Duration, max: Duration, factor: f64) -> Self {
        Self::with_rng(min, max, factor, SmallRng::random())
    }

    /// Like [`Backoff::new`], with pauses that repeat for the same seed. For tests.
    pub fn seeded(min: Duration, max: Duration, factor: f64, seed: u64) -> Self {
        Self::with_rng(min, max, factor, SmallRng::seeded(seed))
    }

    fn with_rng(min: Duration, max: Duration, factor: f64, rng: SmallRng) -> Self {
        Self {
            min,
            max: max.max(min),
            factor: factor.max(1.0),
            ceiling: min,
            attempt: 0,
            rng,
        }
    }

    /// The pause before the next attempt.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends, so an iterator's Option would lie"
    )]
    pub fn next(&mut self) -> Duration {
        self.attempt = self.attempt.saturating_add(1);
        let grown = self.ceiling.as_secs_f64() * self.factor;
        self.ceiling = Duration::try_from_secs_f64(grown)
            .unwrap_or(self.max)
            .clamp(self.min, self.max);
        let spread = u64::try_from((self.ceiling - self.min).as_nanos()).unwrap_or(u64::MAX);
        self.min + Duration::from_nanos(self.rng.below(spread.saturating_add(1)))
    }

    /// How many pauses were handed out since the last success.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Starts over after a success.
    pub fn reset(&mut self) {
        self.ceiling = self.min;
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_grow_to_the_maximum_and_start_over() {
        let (min, max) = (Duration::from_secs(5), Duration::from_secs(600));
        let mut backoff = Backoff::seeded(min, max, 2.0, 1);
        let mut ceilings = Vec::new();
        for _ in 0..9 {
            let pause = backoff.next();
            assert!(pause >= min && pause <= backoff.ceiling);
            ceilings.push(backoff.ceiling.as_secs());
        }
        assert_eq!(ceilings, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(backoff.attempt(), 9);
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(10));
    }

    #[test]
    fn first_pauses_of_a_crowd_are_spread() {
        let (min, max) = (Duration::from_secs(1), Duration::from_secs(60));
        let first = |seed| Backoff::seeded(min, max, 2.0, seed).next().as_millis();
        let mut pauses: Vec<u128> = (0..1000).map(first).collect();
        pauses.sort_unstable();
        assert!(pauses[100] < 1200 && pauses[500] > 1350 && pauses[500] < 1650 && pauses[900] > 1800);
    }

    proptest! {
        #[test]
        fn never_outside_its_bounds(min in 0u64..u64::MAX, max in 0u64..u64::MAX, factor in -1.0f64..1e300, seed: u64) {
            let (min, max) = (Duration::from_nanos(min), Duration::from_nanos(max));
            let mut backoff = Backoff::seeded(min, max, factor, seed);
            for _ in 0..20 {
                let pause = backoff.next();
                prop_assert!(pause >= min && pause <= max.max(min));
            }
        }
    }
}
