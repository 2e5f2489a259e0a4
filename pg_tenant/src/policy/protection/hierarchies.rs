//! Tables of hierarchies in which nothing is protected, each until a table that says so changes.
//!
//! That rests on the table, on those above it and on those below it. PostgreSQL tells of a change of each: a policy
//! made or dropped invalidates its table; a table that is put below another invalidates that one, a table that leaves
//! or is dropped invalidates itself.

use pgrx::pg_sys::Oid;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::{Cell, RefCell};

/// At most this many pairs of a table and one that it rests on are kept.
const CAPACITY: usize = 262_144;

#[derive(Default)]
struct Hierarchies {
    unprotected: FxHashSet<Oid>,
    /// By table, those whose verdict rests on it: at times also of one that has been forgotten since.
    resting: FxHashMap<Oid, Vec<Oid>>,
    pairs: usize,
}

thread_local! {
    static HIERARCHIES: RefCell<Hierarchies> = RefCell::new(Hierarchies::default());
    /// Changes that came while it was borrowed; none in practice, since no borrow spans a call.
    static FORGET_ALL: Cell<bool> = const { Cell::new(false) };
}

/// Used here once: see pg/memory.rs.
pub fn init() {
    HIERARCHIES.take();
}

/// Whether the table is known to belong to a hierarchy in which nothing is protected.
pub fn is_unprotected(table: Oid) -> bool {
    HIERARCHIES.with_borrow_mut(|known| {
        if FORGET_ALL.replace(false) {
            known.clear();
        }
        known.unprotected.contains(&table)
    })
}

/// Remembers that it does: so say these tables, and itself.
pub fn remember(table: Oid, others: &[Oid]) {
    HIERARCHIES.with_borrow_mut(|known| {
        if known.pairs + others.len() >= CAPACITY {
            known.clear();
        }
        for &other in others.iter().chain([&table]) {
            let resting = known.resting.entry(other).or_default();
            if !resting.contains(&table) {
                resting.push(table);
                known.pairs += 1;
            }
        }
        known.unprotected.insert(table);
    });
}

/// This table has changed, or any may have. Called from invalidation: it cannot fail, and allocates nothing.
pub fn relation_changed(changed: Option<Oid>) {
    HIERARCHIES.with(|known| match (known.try_borrow_mut(), changed) {
        (Ok(mut known), Some(table)) => known.forget(table),
        (Ok(mut known), None) => known.clear(),
        (Err(_), _) => FORGET_ALL.set(true),
    });
}

impl Hierarchies {
    fn clear(&mut self) {
        self.unprotected.clear();
        self.resting.clear();
        self.pairs = 0;
    }

    fn forget(&mut self, changed: Oid) {
        for table in self.resting.remove(&changed).unwrap_or_default() {
            self.unprotected.remove(&table);
            self.pairs -= 1;
        }
    }
}
