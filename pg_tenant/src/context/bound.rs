//! Sessions whose role is bound to a tenant: they never call `enter`, so each transaction's first statement is where
//! the registry is asked and the limits are applied.

use crate::context::{current, limits, member, refusals};
use crate::gucs;
use crate::pg::report::Outcome;
use crate::registry::{self, Limits};
use std::cell::Cell;

thread_local! {
    /// The limits of this transaction, once the registry has admitted the tenant.
    static ADMITTED: Cell<Option<Limits>> = const { Cell::new(None) };
}

/// Asks the registry once per transaction. If it refuses, only statements on protected tables are refused; the session
/// may run others. The same (`TN090`, `TN140`) where the role must enter with a token, or as a member, and has not done
/// so yet.
pub fn admit() -> Outcome<()> {
    let Some(tenant) = current::session_tenant() else { return Ok(()) };
    if gucs::require_signed() && current::is_bound() {
        return Err(refusals::signed_entry_required());
    }
    if gucs::require_member() && current::is_bound() {
        return Err(member::member_required(tenant.as_str(), "The session is bound to it, and names no actor."));
    }
    if ADMITTED.get().is_some() {
        return Ok(());
    }
    let admitted = registry::admit(&tenant)?;
    limits::apply(admitted.limits);
    ADMITTED.set(Some(admitted.limits));
    Ok(())
}

/// The limits in force: those of the tenant entered, or of the tenant bound.
pub fn limits_in_force() -> Limits {
    ADMITTED.get().unwrap_or_else(current::limits)
}

/// The transaction, or a savepoint of it, has ended.
pub fn forget() {
    ADMITTED.set(None);
}
