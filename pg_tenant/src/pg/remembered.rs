//! What backends have read of the registry, in shared memory: the first entry of a new connection finds there what
//! another backend has read, and need not open the table.
//!
//! A fixed table, in which many tenants share one place; a later one replaces an earlier one. Each place has a sequence
//! number that is odd while it is written, and is read without a lock: if the number has changed after reading, nothing
//! was found. A reader compares the whole key, which includes the state of the registry in which the value was read.

use std::sync::atomic::{AtomicU64, Ordering, fence};

const PLACES: usize = 4096;
const KEY: usize = 12;
const VALUE: usize = 11;
/// Three tables for each registry (one per database); those of further databases are not remembered.
const TABLES: usize = 3 * 64;

pub type Key = [u64; KEY];
pub type Value = [u64; VALUE];

struct Place {
    sequence: AtomicU64,
    key: [AtomicU64; KEY],
    value: [AtomicU64; VALUE],
}

/// The table; all zeros is an empty one.
pub struct Remembered {
    /// Raised when a registry changes other than through its triggers: a part of every key.
    epoch: AtomicU64,
    /// Database and oid of the tables of each registry that has values here.
    tables: [AtomicU64; TABLES],
    places: [Place; PLACES],
}

impl Remembered {
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// What is here is not true any more.
    pub fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether this is a table of a registry that has values here.
    pub fn has_table(&self, table: u64) -> bool {
        let known = self.tables.iter().map(|known| known.load(Ordering::Acquire));
        known.take_while(|&known| known != 0).any(|known| known == table)
    }

    /// Notes a table of a registry; false where there is no room.
    pub fn note_table(&self, table: u64) -> bool {
        self.has_table(table)
            || self.tables.iter().any(|free| {
                let taken = free.compare_exchange(0, table, Ordering::AcqRel, Ordering::Acquire);
                taken.is_ok() || taken == Err(table)
            })
    }

    pub fn find(&self, at: u16, key: &Key) -> Option<Value> {
        let place = self.place(at);
        let before = place.sequence.load(Ordering::Acquire);
        let is_same = place.key.iter().zip(key).all(|(here, &asked)| here.load(Ordering::Relaxed) == asked);
        if !is_same || before % 2 == 1 {
            return None;
        }
        let value = std::array::from_fn(|word| place.value[word].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        (place.sequence.load(Ordering::Relaxed) == before).then_some(value)
    }

    /// Keeps the value, where nobody writes in its place at this moment.
    pub fn keep(&self, at: u16, key: &Key, value: Value) {
        let place = self.place(at);
        let before = place.sequence.load(Ordering::Relaxed);
        if before % 2 == 1
            || place.sequence.compare_exchange(before, before + 1, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return;
        }
        // Who sees one of the words below sees the odd number, too.
        fence(Ordering::Release);
        for (word, &of_key) in place.key.iter().zip(key) {
            word.store(of_key, Ordering::Relaxed);
        }
        for (word, of_value) in place.value.iter().zip(value) {
            word.store(of_value, Ordering::Relaxed);
        }
        place.sequence.store(before + 2, Ordering::Release);
    }

    fn place(&self, at: u16) -> &Place {
        &self.places[usize::from(at) % PLACES]
    }
}
