//! What this backend remembers of the definitions of settings: one number for all of them.

use crate::pg::{registry_row, transaction};
use std::cell::Cell;

thread_local! {
    /// The number, and at which epoch it was read.
    static REMEMBERED: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

/// The definitions as one number. `epoch` counts invalidations of their table, while these are heeded.
pub fn number(epoch: impl Fn() -> Option<u64>) -> u64 {
    let before = epoch();
    if let (Some((of, number)), Some(now)) = (REMEMBERED.get(), before)
        && of == now
    {
        return number;
    }
    let number = registry_row::definitions_digest();
    // The transaction may still undo what it has written.
    if let Some(now) = epoch().filter(|_| epoch() == before && !transaction::has_written()) {
        REMEMBERED.set(Some((now, number)));
    }
    number
}
