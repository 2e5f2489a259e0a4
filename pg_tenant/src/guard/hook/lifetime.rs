//! The ends of transactions and savepoints. Past the point of no return nothing here may fail.

use crate::context::{locks, seal, session_state};
use crate::guard::{ready, temporary, weakened};
use crate::pg::folding;
use crate::pg::lifetime::{self, End, SavepointEnd};

pub(super) fn init() {
    lifetime::before_commit(|_| session_state::transaction_commits(seal::sealed().is_some()));
    lifetime::at_end(transaction_ended);
    lifetime::at_savepoint_end(savepoint_ended);
}

fn transaction_ended(end: End) {
    session_state::transaction_ended(end != End::Aborted);
    temporary::transaction_ended();
    ready::transaction_ended();
    weakened::forget(None);
    folding::transaction_ended();
    locks::transaction_ended();
}

fn savepoint_ended(end: SavepointEnd) {
    if let SavepointEnd::Undone(number) = end {
        weakened::forget(Some(number));
        session_state::savepoint_undone(number);
    }
}
