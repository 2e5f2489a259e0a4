//! What is counted: large numbers in 64 bits, small ones in 32, so that a million tenants take 160 MB.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// How many large numbers there are.
pub const LARGE: usize = 13;
/// How many small ones there are.
pub const SMALL: usize = 12;

/// Numbers that grow with each statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Large {
    Commits,
    Selects,
    Inserts,
    Updates,
    Deletes,
    OtherStatements,
    RowsRead,
    RowsWritten,
    BlocksHit,
    BlocksRead,
    WalBytes,
    /// In microseconds.
    Execution,
    /// In microseconds.
    Processor,
}

/// Numbers that grow seldom, and times in seconds since 1970. They stay where they cannot grow further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Small {
    Rollbacks,
    LocalBlocks,
    TempBlocks,
    /// In milliseconds.
    Planning,
    LockWaits,
    /// In milliseconds.
    LockWait,
    AdmissionWaits,
    /// In milliseconds.
    AdmissionWait,
    Refusals,
    Jobs,
    /// The last time that anything was added.
    LastSeen,
    /// Since when the slot counts for whom it counts for.
    Since,
}

/// What one process has summed up, or has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// By [`Large`].
    pub large: [u64; LARGE],
    /// By [`Small`].
    pub small: [u32; SMALL],
}

impl Counters {
    /// Nothing.
    pub const ZERO: Counters = Counters { large: [0; LARGE], small: [0; SMALL] };

    /// Adds to a large number.
    pub fn add(&mut self, which: Large, count: u64) {
        self.large[which as usize] = self.large[which as usize].wrapping_add(count);
    }

    /// Adds to a small number.
    pub fn add_small(&mut self, which: Small, count: u32) {
        self.small[which as usize] = self.small[which as usize].saturating_add(count);
    }

    /// A large number.
    pub fn get(&self, which: Large) -> u64 {
        self.large[which as usize]
    }

    /// A small number.
    pub fn get_small(&self, which: Small) -> u32 {
        self.small[which as usize]
    }

    /// Statements of all kinds.
    pub fn statements(&self) -> u64 {
        [Large::Selects, Large::Inserts, Large::Updates, Large::Deletes, Large::OtherStatements]
            .into_iter()
            .fold(0, |sum, which| sum + self.get(which))
    }
}

/// The numbers of one tenant, which every process adds to.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Slot {
    large: [AtomicU64; LARGE],
    small: [AtomicU32; SMALL],
}

impl Slot {
    /// Adds what has come together. Times are no sums: the last one stays.
    pub fn add(&self, counters: &Counters) {
        for (sum, &count) in self.large.iter().zip(&counters.large) {
            if count > 0 {
                sum.fetch_add(count, Relaxed);
            }
        }
        for (sum, &count) in self.small[..Small::LastSeen as usize].iter().zip(&counters.small) {
            if count > 0 {
                // Beyond four thousand million it stays: a process that adds at this moment may add too little.
                let before = sum.fetch_add(count, Relaxed);
                if before.checked_add(count).is_none() {
                    sum.store(u32::MAX, Relaxed);
                }
            }
        }
        let (seen, now) = (&self.small[Small::LastSeen as usize], counters.get_small(Small::LastSeen));
        if seen.load(Relaxed) < now {
            seen.store(now, Relaxed);
        }
    }

    /// Begins to count for somebody.
    pub fn begin(&self, now: u32) {
        self.begin_at(now, now);
    }

    /// Has begun at `since`, and was seen last at `seen`.
    pub fn begin_at(&self, since: u32, seen: u32) {
        self.small[Small::Since as usize].store(since, Relaxed);
        self.small[Small::LastSeen as usize].store(seen, Relaxed);
    }

    /// The last time that anything was added.
    pub fn last_seen(&self) -> u32 {
        self.small[Small::LastSeen as usize].load(Relaxed)
    }

    /// What stands there.
    pub fn read(&self) -> Counters {
        Counters {
            large: self.large.each_ref().map(|sum| sum.load(Relaxed)),
            small: self.small.each_ref().map(|sum| sum.load(Relaxed)),
        }
    }

    /// What stood there; from now on nothing does. What others add meanwhile is in one of both.
    pub fn take(&self) -> Counters {
        Counters {
            large: self.large.each_ref().map(|sum| sum.swap(0, Relaxed)),
            small: self.small.each_ref().map(|sum| sum.swap(0, Relaxed)),
        }
    }
}
