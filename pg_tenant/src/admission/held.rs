//! What this transaction has taken, until it ends. Nothing here fails.

use crate::context::locks;
use crate::pg::gates::{self, Doors};
use pg_tenant_core::gates::{Gate, Given};
use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;

/// What it has taken.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub given: Given,
    /// Its place among the gates, where it needs one.
    pub gate: Option<usize>,
}

thread_local! {
    static HELD: Cell<Option<Held>> = const { Cell::new(None) };
}

/// What this transaction has taken, if it was let in.
#[inline]
pub(super) fn held() -> Option<Held> {
    HELD.get()
}

/// It is let in.
pub(super) fn hold(held: Held) {
    HELD.set(Some(held));
}

impl Held {
    pub fn gate<'d>(&self, doors: &'d Doors) -> Option<&'d Gate> {
        self.gate.map(|place| doors.gates.gate(place))
    }
}

/// How many transactions a tenant has for its weight.
pub(super) fn share(doors: &Doors, place: usize, weight: u32) -> f64 {
    f64::from(doors.gates.gate(place).active()) / f64::from(weight.max(1))
}

/// The transaction has ended, however: a cancelled wait, a terminated session, an error.
pub(super) fn give_back() {
    gates::wait_no_more();
    locks::limit(None);
    let (Some(held), Some(doors)) = (HELD.take(), gates::doors()) else { return };
    let _ = doors.active.fetch_update(Relaxed, Relaxed, |active| active.checked_sub(1));
    if let Some(gate) = held.gate(doors) {
        gate.give_back();
    }
    gates::wake(|place, weight| share(doors, place, weight));
}
