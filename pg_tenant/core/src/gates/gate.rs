//! What a tenant takes of its limits at this moment.

use crate::gates::Rate;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// How many rates there are.
pub const PACES: usize = 3;

/// Which rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Pace {
    Transactions,
    Statements,
    RowsWritten,
}

/// A tenant's counters.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Gate {
    /// How many of its transactions run.
    active: AtomicU32,
    /// The last time that anybody passed, in seconds.
    seen: AtomicU32,
    /// When each rate is where it would be had nothing ever come faster: in nanoseconds of a clock that only goes on.
    paces: [AtomicU64; PACES],
    refused: AtomicU64,
    soft: AtomicU64,
}

impl Gate {
    /// How many of its transactions run.
    pub fn active(&self) -> u32 {
        self.active.load(Relaxed)
    }

    /// How many were refused, and how many were noted above a soft limit.
    pub fn counted(&self) -> [u64; 2] {
        [self.refused.load(Relaxed), self.soft.load(Relaxed)]
    }

    /// Whether nobody runs and none has passed for a while: another tenant may have it.
    pub(crate) fn is_idle(&self, now: u64) -> bool {
        let seconds = (now / 1_000_000_000) as u32;
        let paces = self.paces.iter().all(|pace| pace.load(Relaxed) < now);
        self.active() == 0 && paces && self.seen.load(Relaxed).saturating_add(2) < seconds
    }

    pub(crate) fn begin(&self, now: u64) {
        self.paces.iter().for_each(|pace| pace.store(0, Relaxed));
        self.refused.store(0, Relaxed);
        self.soft.store(0, Relaxed);
        self.see(now);
    }

    fn see(&self, now: u64) {
        self.seen.store((now / 1_000_000_000) as u32, Relaxed);
    }

    /// One more, unless `most` run; 0 is no limit. How many run with it.
    pub fn take(&self, most: u32, now: u64) -> Option<u32> {
        let more = |active: u32| (most == 0 || active < most).then_some(active + 1);
        let before = self.active.fetch_update(Relaxed, Relaxed, more).ok()?;
        self.see(now);
        Some(before + 1)
    }

    /// One less.
    pub fn give_back(&self) {
        let _ = self.active.fetch_update(Relaxed, Relaxed, |active| active.checked_sub(1));
    }

    /// Takes `count` at this pace, unless that is too fast: then in how many nanoseconds it is not.
    ///
    /// # Errors
    /// With that time; with none where it is never: more at once than the burst.
    pub fn pass(&self, pace: Pace, rate: Rate, count: u64, now: u64) -> Result<(), Option<u64>> {
        if rate.per_second == 0 || count == 0 {
            return Ok(());
        }
        if count > rate.burst.into() {
            return Err(None);
        }
        let each = 1_000_000_000 / f64::from(rate.per_second) as u64;
        let (takes, ahead) = (each.saturating_mul(count), each.saturating_mul(rate.burst.into()));
        let next = |at: u64| Some(at.max(now).saturating_add(takes)).filter(|next| *next <= now.saturating_add(ahead));
        match self.paces[pace as usize].fetch_update(Relaxed, Relaxed, next) {
            Ok(_) => {
                self.see(now);
                Ok(())
            }
            Err(at) => Err(Some(at.max(now).saturating_add(takes) - now.saturating_add(ahead))),
        }
    }

    /// How many there are above `soft` a second, as the pace stands: whether it is to be noted.
    pub fn is_above(&self, pace: Pace, rate: Rate, now: u64) -> bool {
        if rate.soft == 0 || rate.per_second <= rate.soft || rate.burst == 0 {
            return false;
        }
        // Of the burst, the part that a soft rate would not have used up.
        let ahead = self.paces[pace as usize].load(Relaxed).saturating_sub(now);
        let most = 1_000_000_000 / u64::from(rate.per_second) * u64::from(rate.burst);
        ahead as f64 > most as f64 * f64::from(rate.soft) / f64::from(rate.per_second)
    }

    /// Notes a refusal, or that a soft limit was passed.
    pub fn note(&self, refused: bool) {
        let which = if refused { &self.refused } else { &self.soft };
        which.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn so_many_at_once() {
        let gate = Gate::default();
        assert_eq!([gate.take(2, 0), gate.take(2, 0), gate.take(2, 0)], [Some(1), Some(2), None]);
        gate.give_back();
        assert_eq!(gate.take(2, 0), Some(2));
        [0; 5].into_iter().for_each(|_| gate.give_back());
        assert_eq!(gate.active(), 0, "never below nothing");
    }

    #[test]
    fn so_many_in_a_second_and_in_a_burst() {
        let (gate, rate) = (Gate::default(), Rate { per_second: 10, burst: 5, soft: 0 });
        let now = 100 * SECOND;
        let passed = (0..9).filter(|_| gate.pass(Pace::Transactions, rate, 1, now).is_ok()).count();
        assert_eq!(passed, 5);
        assert_eq!(gate.pass(Pace::Transactions, rate, 1, now), Err(Some(SECOND / 10)));
        assert_eq!(gate.pass(Pace::Statements, rate, 1, now), Ok(()), "each has its own");
        assert_eq!(gate.pass(Pace::Transactions, rate, 1, now + SECOND / 10), Ok(()));
        // Over a minute at full speed: the burst and then the rate.
        let gate = Gate::default();
        let passed =
            (0..60_000).filter(|ms| gate.pass(Pace::Transactions, rate, 1, now + ms * 1_000_000).is_ok()).count();
        assert!((600..=605).contains(&passed), "{passed}");
        assert_eq!(gate.pass(Pace::RowsWritten, rate, 6, now), Err(None), "never");
    }

    #[test]
    fn an_idle_one_is_anothers() {
        let gate = Gate::default();
        gate.begin(SECOND);
        assert!(!gate.is_idle(2 * SECOND));
        assert!(gate.is_idle(9 * SECOND));
        gate.take(0, 9 * SECOND);
        assert!(!gate.is_idle(90 * SECOND));
    }
}
