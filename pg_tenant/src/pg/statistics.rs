//! The memory of what each tenant has cost ([`pg_tenant_core::statistics`]).
//!
//! Nothing is locked to add to it: slots are claimed and added to by atomics. The lock of the board is taken once in
//! ten seconds, by whoever begins a step. A crash leaves nothing: the numbers begin again, and say since when.

use crate::pg::shared_memory::{Shared, SharedSlice, Zeroed};
use crate::pg::usage;
use pg_tenant_core::statistics::{Codes, Key, Samples, Slot, Steps, Table, key};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What there is one of.
pub struct Board {
    secret: [AtomicU64; 2],
    since: AtomicU64,
    others: Slot,
    /// Ten minutes.
    pub steps: Steps<10>,
    /// An hour.
    pub minutes: Steps<60>,
    pub codes: Codes,
    pub samples: Samples,
}

static BOARD: Shared<Board> = Shared::new(c"pg_tenant statistics");
static KEYS: SharedSlice<AtomicU64> = SharedSlice::new(c"pg_tenant statistics: keys");
static SLOTS: SharedSlice<Slot> = SharedSlice::new(c"pg_tenant statistics: slots");

// SAFETY: atomics only; zeros are numbers that were never raised.
unsafe impl Zeroed for Board {}
// SAFETY: likewise.
unsafe impl Zeroed for Slot {}
// SAFETY: likewise.
unsafe impl Zeroed for AtomicU64 {}

/// Asks for memory for so many tenants. Called from `_PG_init` only.
pub fn init(tenants: usize) {
    if tenants > 0 {
        BOARD.ask();
        KEYS.ask(tenants);
        SLOTS.ask(tenants);
    }
}

/// What there is one of; none where nothing is counted.
pub fn board() -> Option<&'static Board> {
    BOARD.get()
}

/// The key of what is called `name`, of this kind, in this database; where nothing is counted, without a secret.
pub fn key_here(kind: u8, name: &[u8]) -> Key {
    key(board().map_or([0; 2], Board::secret), usage::database(), kind, name)
}

impl Board {
    /// Which slot is whose.
    pub fn table(&'static self) -> Table<'static> {
        Table { keys: KEYS.get(), slots: SLOTS.get(), others: &self.others }
    }

    pub fn secret(&self) -> [u64; 2] {
        self.secret.each_ref().map(|half| half.load(Relaxed))
    }

    /// Since when it counts, in seconds since 1970.
    pub fn since(&self) -> u64 {
        self.since.load(Relaxed)
    }

    /// Begins to count: in the postmaster, before there is any backend.
    pub fn begin(&self, secret: [u64; 2], since: u64) {
        self.secret.iter().zip(secret).for_each(|(place, half)| place.store(half, Relaxed));
        self.since.store(since, Relaxed);
    }

    /// Begins the step that `now` falls into, unless somebody has or does.
    pub fn begin_step(&self, now: u64) {
        if !self.steps.has_begun(now) || !self.minutes.has_begun(now) {
            BOARD.locked(|board| {
                board.steps.begin(now);
                board.minutes.begin(now);
            });
        }
    }
}
