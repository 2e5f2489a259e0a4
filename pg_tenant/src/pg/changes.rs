//! Which tenants this transaction has changed.

use crate::pg::lifetime::{self, SavepointEnd};
use crate::pg::transaction;
use std::cell::RefCell;

/// A tenant's counter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Slot(pub(super) u16);

/// What this transaction has changed.
struct Changed {
    count: usize,
    slots: [u16; Changed::MOST],
    /// The savepoints that have a change which was not undone, and whether one of them is told to who listens.
    savepoints: Vec<(u32, bool)>,
}

impl Changed {
    const MOST: usize = 256;

    fn clear(&mut self) {
        self.count = 0;
        self.savepoints.clear();
    }

    fn has(&self, Slot(slot): Slot) -> bool {
        self.count > Self::MOST || self.slots[..self.count].contains(&slot)
    }
}

thread_local! {
    static CHANGED: RefCell<Changed> =
        const { RefCell::new(Changed { count: 0, slots: [0; Changed::MOST], savepoints: Vec::new() }) };
}

/// Listens for savepoints that end.
pub fn init() {
    // Made here once: see pg/memory.rs.
    CHANGED.with_borrow_mut(|changed| changed.savepoints.reserve(64));
    lifetime::at_savepoint_end(savepoint_ended);
}

/// Whether this transaction has changed the tenant, or one that shares its counter, and may yet undo it.
pub fn is_changing(slot: Slot) -> bool {
    CHANGED.with_borrow(|changed| changed.has(slot))
}

/// This transaction has changed the tenant: its counter is raised when that can be seen.
pub fn change(slot: Slot) {
    note(slot, true);
}

/// As [`change`], of what nobody listens for.
pub fn change_quietly(slot: Slot) {
    note(slot, false);
}

fn note(slot: Slot, told: bool) {
    let change = (transaction::savepoint(), told);
    CHANGED.with_borrow_mut(|changed| {
        if !changed.has(slot) {
            if let Some(place) = changed.slots.get_mut(changed.count) {
                *place = slot.0;
            }
            changed.count += 1;
        }
        if !changed.savepoints.iter().rev().take(2).any(|last| *last == change) {
            changed.savepoints.push(change);
        }
    });
}

/// Calls `raise` with the counter of each tenant that was changed; whether there were more than are kept in mind.
/// Neither fails nor allocates.
pub fn each(raise: impl Fn(Slot)) -> bool {
    CHANGED.with_borrow(|changed| {
        changed.slots[..changed.count.min(Changed::MOST)].iter().for_each(|&slot| raise(Slot(slot)));
        changed.count > Changed::MOST
    })
}

/// The transaction has ended.
pub fn clear() {
    CHANGED.with_borrow_mut(Changed::clear);
}

/// Whether the transaction has a change to tell of: one that no savepoint has undone.
pub fn are_there() -> bool {
    CHANGED.with_borrow(|changed| !changed.savepoints.is_empty())
}

/// Whether one of them is told to who listens.
pub fn are_told() -> bool {
    CHANGED.with_borrow(|changed| changed.savepoints.iter().any(|(_, told)| *told))
}

fn savepoint_ended(end: SavepointEnd) {
    CHANGED.with_borrow_mut(|changed| match end {
        SavepointEnd::Undone(ended) => changed.savepoints.retain(|&(savepoint, _)| savepoint != ended),
        SavepointEnd::Released { number, around } => {
            for (savepoint, _) in changed.savepoints.iter_mut().filter(|(savepoint, _)| *savepoint == number) {
                *savepoint = around;
            }
            changed.savepoints.sort_unstable();
            changed.savepoints.dedup();
        }
    });
}
