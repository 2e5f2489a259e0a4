//! The grant by which the transaction works in its tenant, if it does: it is asked again by each statement, so that its
//! end takes effect at the next one, and by a commit of what was written.

use crate::context::seal::{self, Identity};
use crate::pg::lifetime::{self, Ending};
use crate::pg::report::Outcome;
use crate::pg::transaction;
use crate::registry::impersonations::{self, Grant};
use std::cell::Cell;

thread_local! {
    static BY: Cell<Option<(Grant, Identity)>> = const { Cell::new(None) };
    /// The grant whose use a committed transaction of this session has journalled last: the journal has one line of a
    /// session's many transactions, the server's log one each.
    static JOURNALLED: Cell<Option<[u8; 16]>> = const { Cell::new(None) };
    /// The one of this transaction.
    static JOURNALLED_NOW: Cell<Option<[u8; 16]>> = const { Cell::new(None) };
}

/// Listens for commits.
pub fn init() {
    lifetime::judge_commit(before_commit);
}

/// The transaction works by this grant.
pub fn set(grant: Grant, identity: Identity) {
    BY.set(Some((grant, identity)));
}

/// Whether the transaction works by a grant.
#[inline]
pub fn is_set() -> bool {
    BY.get().is_some()
}

/// Refuses (`TN159`, `TN158`) where the grant does not hold any more.
pub fn check() -> Outcome<()> {
    let Some((grant, identity)) = BY.get() else { return Ok(()) };
    // In test mode the savepoint that it belonged to may be over.
    if seal::identity() == Some(identity) {
        BY.set(Some((impersonations::check(grant)?, identity)));
    }
    Ok(())
}

/// What was written by a grant that has ended is not committed.
fn before_commit(_: Ending) -> Outcome<()> {
    if is_set() && transaction::has_written() { check() } else { Ok(()) }
}

/// Whether the use of this grant is to be journalled; it is noted for the next one.
pub fn is_to_be_journalled(id: [u8; 16]) -> bool {
    JOURNALLED.get() != Some(id) && JOURNALLED_NOW.replace(Some(id)) != Some(id)
}

/// The transaction has ended. Nothing here can fail.
pub fn transaction_ended(committed: bool) {
    BY.set(None);
    let journalled = JOURNALLED_NOW.take();
    if committed && journalled.is_some() {
        JOURNALLED.set(journalled);
    }
}

/// A savepoint was undone: the line in the journal may be gone.
pub fn savepoint_undone() {
    JOURNALLED_NOW.set(None);
}
