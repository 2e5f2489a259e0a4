//! What the session's last transaction has left: for a client that begins a transaction anew.

use crate::pg::backend_cell::BackendCell;
use crate::pg::transaction;

/// The last transaction was rolled back, had written nothing, and saw each commit.
static LEFT_NOTHING: BackendCell<bool> = BackendCell::new(false);

/// The transaction has ended. Nothing here can fail.
pub fn ended(committed: bool) {
    LEFT_NOTHING.set(!committed && !transaction::has_written() && transaction::sees_each_commit());
}

/// Whether nothing was lost with the transaction before this one, and this one sees what it saw, or what is newer.
pub fn left_nothing() -> bool {
    LEFT_NOTHING.get() && transaction::sees_each_commit()
}
