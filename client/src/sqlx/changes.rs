//! What the connections of a pool over sqlx tell each other of plans that the schema has changed under.
//!
//! sqlx keeps what each connection has prepared to itself. So each is cleared of it where it is next lent once any of
//! them has met a change, which costs a round trip.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many connections are remembered: far more than a pool has at a time.
const CAPACITY: usize = 4096;

/// The changes that a pool has met.
#[derive(Default)]
pub(crate) struct Changes {
    count: AtomicU64,
    /// Of how many each session knows, by its process.
    known: Mutex<HashMap<i32, u64>>,
}

/// The changes that a connection on loan knows of.
pub(crate) struct Known {
    changes: Arc<Changes>,
    pid: i32,
    count: u64,
    /// It has statements that were prepared before the last of them.
    pub(super) is_behind: bool,
}

impl Changes {
    /// A connection is lent, and is cleared where it is behind.
    pub(super) fn lend(self: &Arc<Self>, pid: i32) -> Known {
        let count = self.count.load(Ordering::Relaxed);
        let is_behind = count > 0 && self.remember(pid, count) != count;
        Known { changes: self.clone(), pid, count, is_behind }
    }

    /// Of how many it knew before.
    fn remember(&self, pid: i32, count: u64) -> u64 {
        // A panic elsewhere leaves a map that is whole.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(pid, count).unwrap_or(0)
    }
}

impl Known {
    /// A plan of this connection turned out stale. It is cleared.
    pub(super) fn meet_change(&mut self) {
        let (count, next) = (self.count, self.count + 1);
        let _ = self.changes.count.compare_exchange(count, next, Ordering::Relaxed, Ordering::Relaxed);
        self.changes.remember(self.pid, next);
        self.count = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_is_behind_once_after_a_change() {
        let changes = Arc::new(Changes::default());
        let (mut first, mut second) = (changes.lend(1), changes.lend(2));
        assert!(!first.is_behind && !second.is_behind);
        first.meet_change();
        second.meet_change();
        assert!(!changes.lend(1).is_behind && !changes.lend(2).is_behind, "both are cleared, of the same change");
        assert!(changes.lend(3).is_behind && !changes.lend(3).is_behind);
        changes.lend(1).meet_change();
        assert!(changes.lend(2).is_behind && changes.lend(3).is_behind && !changes.lend(1).is_behind);
    }
}
