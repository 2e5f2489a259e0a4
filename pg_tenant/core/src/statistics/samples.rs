//! Which statements a tenant's time goes into: one in eight is taken, and counts for eight. A table of fixed size, of
//! which all zeros is an empty one.

use crate::statistics::Key;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Of how many statements one is taken.
pub const ONE_IN: u64 = 8;
const PLACES: usize = 16_384;
const WINDOW: usize = 16;

#[repr(C)]
struct Entry {
    /// Of tenant and statement together; 0 is nobody's.
    both: AtomicU64,
    key: AtomicU64,
    query: AtomicU64,
    calls: AtomicU64,
    execution: AtomicU64,
}

/// The table.
#[repr(C)]
pub struct Samples {
    entries: [Entry; PLACES],
}

/// A statement of a tenant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// Whose.
    pub key: Key,
    /// PostgreSQL's number of the statement.
    pub query: i64,
    /// About how often it ran.
    pub calls: u64,
    /// About how long, in microseconds.
    pub execution: u64,
}

impl Samples {
    /// Adds a statement that was taken. Where there is no place for it, those that stand there fade by half, until one
    /// of them is nothing: what runs often stays.
    pub fn add(&self, key: Key, query: i64, execution: u64) {
        let both = (key.get() ^ (query as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)).max(1);
        let window = || (0..WINDOW).map(move |step| &self.entries[(both as usize).wrapping_add(step) % PLACES]);
        let own = |entry: &&Entry| entry.both.load(Relaxed) == both;
        let entry = window().find(own).or_else(|| {
            let free = |entry: &&Entry| entry.calls.load(Relaxed) == 0;
            let entry = window().find(free)?;
            let before = entry.both.load(Relaxed);
            entry.both.compare_exchange(before, both, Relaxed, Relaxed).ok()?;
            entry.key.store(key.get(), Relaxed);
            entry.query.store(query as u64, Relaxed);
            entry.execution.store(0, Relaxed);
            Some(entry)
        });
        match entry {
            Some(entry) => {
                entry.calls.fetch_add(ONE_IN, Relaxed);
                entry.execution.fetch_add(execution.saturating_mul(ONE_IN), Relaxed);
            }
            None => window().flat_map(|entry| [&entry.calls, &entry.execution]).for_each(|number| {
                number.store(number.load(Relaxed) / 2, Relaxed);
            }),
        }
    }

    /// Everything that stands there.
    pub fn read(&self) -> impl Iterator<Item = Sampled> {
        self.entries.iter().filter_map(|entry| {
            let [key, query, calls, execution] =
                [&entry.key, &entry.query, &entry.calls, &entry.execution].map(|number| number.load(Relaxed));
            let key = Key::new(key).filter(|_| calls > 0)?;
            Some(Sampled { key, query: query as i64, calls, execution })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::key;

    fn samples() -> Box<Samples> {
        let zero = || AtomicU64::new(0);
        let entry = |_| Entry { both: zero(), key: zero(), query: zero(), calls: zero(), execution: zero() };
        Box::new(Samples {
            entries: Vec::from_iter((0..PLACES).map(entry)).try_into().unwrap_or_else(|_| unreachable!()),
        })
    }

    #[test]
    fn what_runs_often_stays_among_many() {
        std::thread::Builder::new().stack_size(64 << 20).spawn(crowded).expect("a thread").join().expect("it holds");
    }

    fn crowded() {
        let (samples, who) = (samples(), key([0, 0], 1, 0, b"acme"));
        for query in 0..400_000_i64 {
            samples.add(who, query + 10, 1);
            if query % 20 == 0 {
                samples.add(who, 1, 100);
            }
        }
        let often = samples.read().max_by_key(|one| one.execution).expect("a statement");
        assert_eq!((often.key, often.query), (who, 1));
        assert!(often.calls > ONE_IN * 20, "{often:?}");
    }
}
