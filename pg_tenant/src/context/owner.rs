//! The system context of a table's owner, for migrations: the role stays what it is, so that definitions of data, the
//! migrating tool's own tables and what is new belong to it as ever, and row-level security is lifted from the
//! protected tables that it owns ([`crate::pg::lifted`]).
//!
//! It takes what the system context takes: membership in `tenant_system`, a reason, a line in journal and log. Plans
//! that are kept know nothing of it, so all are forgotten when it begins, when a savepoint may have undone it, and at
//! its end.

use crate::context::current;
use crate::context::seal::{self, Entered};
use crate::pg::report::{Outcome, Report};
use crate::pg::{lifted, role};
use crate::policy::protection;
use pg_tenant_core::{Refusal, SystemContext};
use pgrx::pg_sys::Oid;
use std::cell::Cell;

/// What the transaction has entered.
pub const CONTEXT: Entered = Entered::System(SystemContext::Owner);

thread_local! {
    /// The reason that a committed transaction of this session has journalled last: of a migration's many batches the
    /// journal has one line, the server's log one each.
    static JOURNALLED: Cell<Option<u64>> = const { Cell::new(None) };
    /// The one of this transaction.
    static REASON: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Whether an entry for this reason, a hash, is to be journalled; it is noted for the next one.
pub fn is_to_be_journalled(reason: u64) -> bool {
    JOURNALLED.get() != Some(reason) && REASON.replace(Some(reason)) != Some(reason)
}

/// Whether row-level security is lifted from this table for statements that reach it with the rights of `user`,
/// InvalidOid for the current one: its owner is at work, not a function, a view or a SET ROLE that borrows its rights.
pub fn is_lifted(table: Oid, user: Oid) -> bool {
    let user = if user == Oid::INVALID { role::current_user() } else { user };
    in_force() && protection::fence(table).is_some() && is_at_work(user) && role::owns(user, table)
}

/// Whether the transaction is in it at this moment.
pub fn in_force() -> bool {
    current::system() == Some(SystemContext::Owner)
}

/// Whether the rights of `user` are the session's own at this moment.
pub fn is_at_work(user: Oid) -> bool {
    user == role::current_user() && user == role::outer_user()
}

/// Judges a statement that reaches a protected table with the rights of `user`.
pub fn judge(table: Oid, user: Oid, name: String) -> Outcome<()> {
    if is_at_work(user) && role::owns(user, table) {
        return Ok(());
    }
    let user = role::name(user);
    Err(Report::new(
        Refusal::SystemRoleLeft,
        format!("the owner's system context does not reach table {name} with the rights of role \"{user}\""),
    )
    .detail("It reaches the protected tables of the role at work, by no other role, view or function.")
    .hint("Run the statement as the table's owner; for a view, security_invoker = true; for a function, SECURITY INVOKER."))
}

/// The transaction has ended. Nothing here can fail.
pub fn transaction_ended(committed: bool) {
    if seal::sealed() == Some(CONTEXT) {
        lifted::forget_plans();
    }
    let reason = REASON.take();
    if committed && reason.is_some() {
        JOURNALLED.set(reason);
    }
}

/// A savepoint was undone, maybe the one it was entered in: its line in the journal may be gone, too.
pub fn savepoint_undone() {
    if seal::sealed() == Some(CONTEXT) {
        lifted::forget_plans();
        REASON.set(None);
    }
}
