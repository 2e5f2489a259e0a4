//! What a session may not carry into a tenant: state of earlier transactions, cursors that COMMIT fills, locks on
//! tables.

use crate::context::{seal, session_state};
use crate::pg::report::{Outcome, Report};
use crate::pg::{relation, session};
use pg_tenant_core::{Refusal, TenantId};

/// Refuses (`TN008`) a session that carries state from earlier transactions, where this one has entered no tenant yet.
pub fn require_pristine() -> Outcome<()> {
    if seal::sealed().is_none() {
        if let Some(found) = session_state::find() {
            return Err(Report::new(
                Refusal::SessionNotPristine,
                "this session carries state from earlier transactions",
            )
            .detail(format!("It has {found}."))
            .hint("Close the connection and use another; set what a transaction needs with SET LOCAL."));
        }
        session::release_locks_and_sequences();
    }
    Ok(())
}

/// A cursor WITH HOLD that was declared before is filled at COMMIT, under what is entered now, and read after it.
pub fn refuse_held_cursor(entering: &str, rows: &str) -> Outcome<()> {
    if !session_state::holds_cursor() {
        return Ok(());
    }
    let message = format!("cannot enter {entering}: a cursor WITH HOLD was declared in this transaction");
    Err(Report::new(Refusal::SessionObjectRefused, message)
        .detail(format!("It would be filled with {rows} at COMMIT and stay open for the next tenant."))
        .hint("Declare it in a transaction of its own, or without WITH HOLD."))
}

/// A table that was locked before would be locked in the tenant's transaction.
pub fn refuse_locked_table(id: TenantId) -> Outcome<()> {
    let Some(table) = session_state::locked_table() else { return Ok(()) };
    let table = relation::name(table);
    let message = format!("cannot enter tenant \"{id}\": this transaction has locked table {table}");
    Err(Report::new(Refusal::LockRefused, message)
        .detail("A table lock holds up every other tenant.")
        .hint("Lock tables in a transaction that enters no tenant; lock rows with select ... for update."))
}
