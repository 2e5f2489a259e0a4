//! How often each share may begin: one bucket each, kept only while it differs from a full one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};

use super::Share;
use crate::pool::limits::Rate;

type Limiter = governor::RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>;

#[derive(Default)]
pub(super) struct Rates {
    buckets: HashMap<Share, Bucket>,
    /// How many buckets there may be before those that are full again are looked for.
    sweep_at: usize,
}

struct Bucket {
    rate: Rate,
    limiter: Limiter,
    full_at: Instant,
}

impl Rates {
    /// Counts one transaction, or says how long until one more is allowed.
    pub(super) fn count(&mut self, share: Share, rate: Rate) -> Result<(), Duration> {
        let now = MonotonicClock.now();
        if self.buckets.len() >= self.sweep_at {
            self.buckets.retain(|_, bucket| bucket.full_at > now);
            self.sweep_at = (2 * self.buckets.len()).max(64);
        }
        let new = || Bucket { rate, limiter: Limiter::direct_with_clock(rate.quota(), MonotonicClock), full_at: now };
        let bucket = self.buckets.entry(share).or_insert_with(new);
        if bucket.rate != rate {
            *bucket = new();
        }
        bucket.full_at = now + rate.full_after();
        bucket.limiter.check().map_err(|not_until| not_until.wait_time_from(now))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(n: u32) -> Share {
        Share::Tenant(n.to_string().parse().unwrap())
    }

    #[test]
    fn one_tenants_bucket_is_not_anothers() {
        let (mut rates, rate, since) = (Rates::default(), Rate::per_minute(2), Instant::now());
        assert_eq!([0; 2].map(|_| rates.count(share(1), rate).is_ok()), [true; 2]);
        let wait = rates.count(share(1), rate).unwrap_err();
        let least = Duration::from_secs(30).saturating_sub(since.elapsed());
        assert!(wait >= least && wait <= Duration::from_secs(30), "{wait:?}");
        rates.count(share(2), rate).unwrap();
        // Another rate is another bucket.
        rates.count(share(1), rate.burst(3)).unwrap();
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let mut rates = Rates::default();
        for n in 0..100_000 {
            rates.count(share(n), Rate::per_second(1_000_000_000).burst(1)).unwrap();
        }
        assert!(rates.len() <= 128, "{}", rates.len());
        // Those that still count something are not.
        for n in 0..1000 {
            rates.count(share(n), Rate::per_minute(1)).unwrap();
        }
        assert!((0..1000).all(|n| rates.count(share(n), Rate::per_minute(1)).is_err()));
    }
}
