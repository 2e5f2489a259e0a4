//! How often a tenant may begin a transaction.

use std::num::NonZeroU32;
use std::time::Duration;

/// A rate of transactions, with a burst: a bucket of `burst` that is refilled evenly.
///
/// ```
/// use pg_tenant_client::Rate;
///
/// let rate = Rate::per_second(100);             // a burst of 100, then one every 10 ms
/// let bursty = Rate::per_minute(60).burst(20);  // a burst of 20, then one a second
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    burst: NonZeroU32,
    /// The time after which one more is allowed. Above zero.
    every: Duration,
}

/// The longest time in which a bucket fills: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Rate {
    /// This many transactions a second, with a burst of the same size. 0 counts as 1.
    pub fn per_second(transactions: u32) -> Rate {
        Rate::of(transactions, Duration::from_secs(1))
    }

    /// This many transactions a minute, with a burst of the same size. 0 counts as 1.
    pub fn per_minute(transactions: u32) -> Rate {
        Rate::of(transactions, Duration::from_secs(60))
    }

    fn of(transactions: u32, time: Duration) -> Rate {
        let burst = NonZeroU32::new(transactions).unwrap_or(NonZeroU32::MIN);
        Rate { burst, every: (time / burst.get()).max(Duration::from_nanos(1)) }
    }

    /// Sets the size of the burst; the rate over time stays. 0 counts as 1.
    #[must_use]
    pub fn burst(mut self, transactions: u32) -> Rate {
        self.burst = NonZeroU32::new(transactions).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// The bucket of `governor`, which counts the time to fill it in 64 bits of nanoseconds and looks at no overflow.
    pub(crate) fn quota(&self) -> governor::Quota {
        let most = LONGEST.as_nanos() / self.every.as_nanos();
        let burst = u32::try_from(most).ok().and_then(NonZeroU32::new).map_or(self.burst, |most| most.min(self.burst));
        governor::Quota::with_period(self.every)
            .unwrap_or_else(|| governor::Quota::per_second(burst))
            .allow_burst(burst)
    }

    /// After so long without a transaction the bucket is full, and as if it had never been used.
    pub(crate) fn full_after(&self) -> Duration {
        self.every.saturating_mul(self.burst.get())
    }
}
