//! What this session remembers of tables, each until what it rests on changes.

use super::{Protection, hierarchies};
use crate::pg::policy::{self, Requirement};
use crate::pg::{folding, invalidation};
use pgrx::pg_sys::Oid;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// At most this many verdicts are remembered.
const CAPACITY: usize = 65_536;

/// What a verdict depends on: it is true until one of these changes.
pub(super) enum RestsOn {
    /// The table.
    Itself,
    /// These tables as well: nothing of the hierarchy is protected.
    Hierarchy(Vec<Oid>),
    /// Shared tables, the journal, the hierarchy: any table.
    More,
}

/// Counts invalidations: a counter for each table would be too much to keep.
type Epoch = u64;

thread_local! {
    static EPOCH: Cell<Epoch> = const { Cell::new(0) };
    static VERDICTS: RefCell<FxHashMap<Oid, Protection>> = RefCell::new(FxHashMap::default());
    /// Verdicts that depend on something that no single invalidation names, each with the epoch in which it was made.
    static OF_THE_EPOCH: RefCell<FxHashMap<Oid, (Epoch, Protection)>> = RefCell::new(FxHashMap::default());
    /// What writing takes, of tables that were written; in the epoch of that.
    static REQUIRED: RefCell<FxHashMap<Oid, Option<Rc<[Requirement]>>>> = RefCell::new(FxHashMap::default());
    /// Tables that changed while [`VERDICTS`] was borrowed; none in practice, since no borrow spans a call.
    static FORGET_ALL: Cell<bool> = const { Cell::new(false) };
}

/// How many changes this session has heard of.
pub(super) fn epoch() -> Epoch {
    EPOCH.get()
}

/// Listens for changes of tables.
pub fn init() {
    // Used here once: see pg/memory.rs.
    VERDICTS.take();
    OF_THE_EPOCH.take();
    REQUIRED.take();
    hierarchies::init();
    invalidation::on_relation_change(|changed| {
        folding::relation_changed(changed);
        EPOCH.set(EPOCH.get() + 1);
        hierarchies::relation_changed(changed);
        VERDICTS.with(|verdicts| match (verdicts.try_borrow_mut(), changed) {
            (Ok(mut verdicts), Some(table)) => drop(verdicts.remove(&table)),
            (Ok(mut verdicts), None) => verdicts.clear(),
            (Err(_), _) => FORGET_ALL.set(true),
        });
        REQUIRED.with(|required| match (required.try_borrow_mut(), changed) {
            (Ok(mut required), Some(table)) => drop(required.remove(&table)),
            (Ok(mut required), None) => required.clear(),
            (Err(_), _) => FORGET_ALL.set(true),
        });
    });
    // A renamed schema changes the qualified names of its tables, by which the journal knows them.
    invalidation::on_schema_change(|| {
        EPOCH.set(EPOCH.get() + 1);
        hierarchies::relation_changed(None);
        FORGET_ALL.set(true);
    });
}

pub(super) fn remembered(table: Oid) -> Option<Protection> {
    VERDICTS
        .with_borrow_mut(|verdicts| {
            if FORGET_ALL.replace(false) {
                verdicts.clear();
                REQUIRED.take();
            }
            verdicts.get(&table).copied()
        })
        .or_else(|| hierarchies::is_unprotected(table).then_some(Protection::None))
        .or_else(|| {
            OF_THE_EPOCH.with_borrow(|verdicts| {
                verdicts.get(&table).and_then(|&(epoch, verdict)| (epoch == EPOCH.get()).then_some(verdict))
            })
        })
}

/// The permissions that writing the table takes; none where it takes none.
pub fn requirements(table: Oid) -> Option<Rc<[Requirement]>> {
    if let Some(known) = REQUIRED.with_borrow(|required| required.get(&table).cloned()) {
        return known;
    }
    // No borrow is held here: catalog reads deliver invalidations.
    let before = epoch();
    let found = policy::requirements(table);
    let found = (!found.is_empty()).then(|| Rc::from(found));
    if epoch() == before {
        REQUIRED.with_borrow_mut(|required| {
            if required.len() >= CAPACITY {
                required.clear();
            }
            required.insert(table, found.clone());
        });
    }
    found
}

pub(super) fn remember(table: Oid, verdict: Protection, rests_on: RestsOn) {
    match rests_on {
        RestsOn::Itself => VERDICTS.with_borrow_mut(|verdicts| {
            if verdicts.len() >= CAPACITY {
                verdicts.clear();
            }
            verdicts.insert(table, verdict);
        }),
        RestsOn::Hierarchy(tables) => hierarchies::remember(table, &tables),
        RestsOn::More => OF_THE_EPOCH.with_borrow_mut(|verdicts| {
            if verdicts.len() >= CAPACITY {
                verdicts.clear();
            }
            verdicts.insert(table, (EPOCH.get(), verdict));
        }),
    }
}
