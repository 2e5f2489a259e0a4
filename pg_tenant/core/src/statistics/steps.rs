//! The last minutes and the last hour, in steps.

use crate::statistics::{Counters, Key, Large, Small};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many are kept: sixty, and the one that goes on.
const STEPS: usize = 61;
/// How many are counted by themselves in a step. Who works much comes early.
const ENTRIES: usize = 512;
/// How many places a key may stand in.
const WINDOW: usize = 16;
const NUMBERS: usize = 6;

#[repr(C)]
struct Entry {
    key: AtomicU64,
    numbers: [AtomicU64; NUMBERS],
}

#[repr(C)]
struct Ring {
    /// Which step it is, counted since 1970; 0 before the first.
    number: AtomicU64,
    entries: [Entry; ENTRIES],
    others: [AtomicU64; NUMBERS],
}

/// Steps of so many seconds. All zeros is none.
#[repr(C)]
pub struct Steps<const SECONDS: u64> {
    rings: [Ring; STEPS],
}

/// A step in which somebody has worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// Who; none is all that were counted together.
    pub key: Option<Key>,
    /// When it began, in seconds since 1970.
    pub since: u64,
    /// What was done in it.
    pub step: Step,
}

/// What was done in a step; times in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Step {
    pub transactions: u64,
    pub statements: u64,
    pub rows_read: u64,
    pub rows_written: u64,
    pub execution: u64,
    pub processor: u64,
}

impl Step {
    fn numbers(counters: &Counters) -> [u64; NUMBERS] {
        let transactions = counters.get(Large::Commits) + u64::from(counters.get_small(Small::Rollbacks));
        [
            transactions,
            counters.statements(),
            counters.get(Large::RowsRead),
            counters.get(Large::RowsWritten),
            counters.get(Large::Execution),
            counters.get(Large::Processor),
        ]
    }

    fn read(numbers: &[AtomicU64; NUMBERS]) -> Step {
        let [transactions, statements, rows_read, rows_written, execution, processor] =
            numbers.each_ref().map(|number| number.load(Relaxed));
        Step { transactions, statements, rows_read, rows_written, execution, processor }
    }
}

impl<const SECONDS: u64> Steps<SECONDS> {
    /// Whether the step that `now`, in seconds since 1970, falls into has begun: else [`begin`](Self::begin) it, one
    /// process at a time.
    pub fn has_begun(&self, now: u64) -> bool {
        self.ring(now).number.load(Relaxed) == now / SECONDS
    }

    /// Begins the step, unless somebody has.
    pub fn begin(&self, now: u64) {
        let ring = self.ring(now);
        if self.has_begun(now) {
            return;
        }
        let entries = ring.entries.iter().map(|entry| &entry.numbers).chain([&ring.others]);
        entries.flatten().for_each(|number| number.store(0, Relaxed));
        ring.entries.iter().for_each(|entry| entry.key.store(0, Relaxed));
        ring.number.store(now / SECONDS, Relaxed);
    }

    /// Adds to the step that goes on.
    pub fn add(&self, now: u64, key: Key, counters: &Counters) {
        let ring = self.ring(now);
        let numbers = ring.entry(key).map_or(&ring.others, |entry| &entry.numbers);
        for (sum, count) in numbers.iter().zip(Step::numbers(counters)) {
            if count > 0 {
                sum.fetch_add(count, Relaxed);
            }
        }
    }

    /// Each that worked in each step, the oldest step first.
    pub fn read(&self, now: u64) -> Vec<Stepped> {
        let current = now / SECONDS;
        let mut stepped = Vec::new();
        for number in current.saturating_sub(STEPS as u64 - 1)..=current {
            let ring = self.ring(number * SECONDS);
            if ring.number.load(Relaxed) != number {
                continue;
            }
            let since = number * SECONDS;
            let own = ring.entries.iter().filter_map(|entry| {
                let key = Key::new(entry.key.load(Relaxed))?;
                Some(Stepped { key: Some(key), since, step: Step::read(&entry.numbers) })
            });
            let others = Stepped { key: None, since, step: Step::read(&ring.others) };
            stepped.extend(own.chain([others]).filter(|one| one.step != Step::default()));
        }
        stepped
    }

    fn ring(&self, now: u64) -> &Ring {
        &self.rings[(now / SECONDS % STEPS as u64) as usize]
    }
}

impl Ring {
    fn entry(&self, key: Key) -> Option<&Entry> {
        let first = key.get() as usize % ENTRIES;
        (0..WINDOW).map(|step| &self.entries[(first + step) % ENTRIES]).find(|entry| {
            let taken = entry.key.compare_exchange(0, key.get(), Relaxed, Relaxed);
            taken.is_ok() || taken == Err(key.get())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::key;

    /// As shared memory is: zeros.
    fn steps() -> Box<Steps<10>> {
        let zero = || AtomicU64::new(0);
        let numbers = || std::array::from_fn(|_| zero());
        let entry = |_| Entry { key: zero(), numbers: numbers() };
        let ring = |_| Ring { number: zero(), entries: std::array::from_fn(entry), others: numbers() };
        Box::new(Steps { rings: Vec::from_iter((0..STEPS).map(ring)).try_into().unwrap_or_else(|_| unreachable!()) })
    }

    #[test]
    fn the_last_ten_minutes_are_kept() {
        std::thread::Builder::new().stack_size(64 << 20).spawn(kept).expect("a thread").join().expect("it holds");
    }

    fn kept() {
        let steps = steps();
        let who = key([0, 0], 1, 0, b"acme");
        let mut one = Counters::ZERO;
        one.add(Large::Commits, 1);
        one.add(Large::Inserts, 2);
        for now in (1_000_000..1_000_700).step_by(5) {
            steps.begin(now);
            steps.add(now, who, &one);
        }
        let read = steps.read(1_000_699);
        assert_eq!(read.len(), STEPS);
        assert_eq!(read[0].since, 1_000_090);
        assert!(read.iter().all(|one| one.key == Some(who) && one.step.transactions == 2 && one.step.statements == 4));
        assert_eq!(steps.read(1_002_000), [], "a server that slept has no old steps");
    }

    #[test]
    fn who_has_no_entry_is_counted_with_others() {
        std::thread::Builder::new().stack_size(64 << 20).spawn(crowded).expect("a thread").join().expect("it holds");
    }

    fn crowded() {
        let steps = steps();
        let mut one = Counters::ZERO;
        one.add(Large::Commits, 1);
        steps.begin(50);
        for tenant in 0..2_000_u32 {
            steps.add(50, key([0, 0], 1, 0, &tenant.to_le_bytes()), &one);
        }
        let read = steps.read(50);
        assert_eq!(read.iter().map(|one| one.step.transactions).sum::<u64>(), 2_000);
        assert!(read.iter().any(|one| one.key.is_none() && one.step.transactions > 1_000), "{}", read.len());
    }
}
