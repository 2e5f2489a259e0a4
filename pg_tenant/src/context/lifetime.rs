//! How what was entered ends: with the transaction, whatever PostgreSQL's stack of settings does after that.

use crate::context::{acting, bound, current, identity, impersonation, owner, previous, seal, test_mode};
use crate::pg::lifetime::{self, End, SavepointEnd};
use crate::pg::transaction;

/// Registers the callbacks.
pub fn init() {
    lifetime::at_end(transaction_ended);
    lifetime::at_savepoint_end(savepoint_ended);
    lifetime::before_release(test_mode::savepoint_released);
}

fn transaction_ended(end: End) {
    // A worker gets its leader's settings in a transaction of its own, which ends before the leader's query begins.
    if transaction::is_parallel_worker() {
        return;
    }
    let committed = end == End::Committed;
    previous::ended(committed);
    current::end(seal::sealed().is_some().then(|| committed && !transaction::is_block()));
    owner::transaction_ended(committed);
    seal::clear();
    identity::clear();
    acting::assign(acting::Acting::NOBODY);
    impersonation::transaction_ended(committed);
    bound::forget();
}

/// A savepoint that is undone takes the limits of a bound session with it: they are applied again.
fn savepoint_ended(end: SavepointEnd) {
    if let SavepointEnd::Undone(number) = end {
        bound::forget();
        owner::savepoint_undone();
        impersonation::savepoint_undone();
        test_mode::savepoint_undone(number);
    }
}
