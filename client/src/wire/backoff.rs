//! Pauses between attempts: each longer than the one before, with a random part, so that clients do not try all at
//! once.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);

pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff(FIRST)
    }

    /// Between half and all of what its turn is.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.0;
        self.0 = (whole * 2).min(LONGEST);
        whole.mul_f64(0.5 + random() / 2.0)
    }
}

/// From 0 to 1. Not for secrets: each `RandomState` has other keys.
pub(crate) fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let mut backoff = Backoff::new();
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.next()).collect();
        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST);
        assert!(pauses[2] > pauses[0] && pauses[11] >= LONGEST / 2 && pauses[11] <= LONGEST);
        let others: Vec<Duration> = (0..12).map(|_| Backoff::new().next()).collect();
        assert!(others.iter().any(|pause| *pause != others[0]));
    }
}
