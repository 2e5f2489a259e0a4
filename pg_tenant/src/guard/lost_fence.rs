//! Fences that go by cascade: DROP TYPE … CASCADE takes a column, and the policy with it, without naming either. And
//! those that ALTER POLICY changes under a name that changed hands while the command waited for its lock.
//!
//! PostgreSQL calls the object-access hook before each drop, and at that moment it cannot be told whether the table
//! goes too. So fences are noted, and when the command is through it is refused if the table of one is still there
//! without it; the error undoes the command. A note that outlives an error is harmless: it is only a fence to look at.

use crate::context::current;
use crate::guard::in_tenant;
use crate::gucs;
use crate::pg::policy::Fence;
use crate::pg::report::{Outcome, Report};
use crate::pg::{extension, policy, relation};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;

thread_local! {
    /// Tables, and the policies that are their fences.
    static FENCES: RefCell<Vec<(Oid, Fence)>> = const { RefCell::new(Vec::new()) };
}

/// Makes room for the notes, before the first session: see pg/memory.rs.
pub fn init() {
    FENCES.take();
}

/// A policy is about to go, alone or with its table, whose own turn comes later; or was changed a moment ago. Refused
/// inside a tenant's transaction. Not that of a temporary table, which goes when the session or the transaction ends.
pub fn judge(policy: Oid) -> Outcome<()> {
    let Some(table) = policy::table_of(policy).filter(|&table| guarded(table)) else { return Ok(()) };
    if current::tenant().is_some() {
        return Err(in_tenant::ddl_in_tenant(table, "a DROP"));
    }
    if gucs::guards() {
        let fence = policy::fence_of(policy);
        FENCES.with_borrow_mut(|fences| fences.extend(fence));
    }
    Ok(())
}

fn guarded(table: Oid) -> bool {
    relation::class(table).is_some_and(|class| !class.temporary) && policy::fence(table).is_some()
}

/// The command is through: refuses it if a table has lost its fence. Removing the extension takes every fence along:
/// that is refused where a policy of the table's own would then show every tenant's rows.
pub fn check() -> Outcome<()> {
    let noted = FENCES.take();
    if noted.is_empty() {
        return Ok(());
    }
    let installed = extension::is_installed();
    let stands = |fence: Fence| policy::fence_of(fence.policy).is_some_and(|(_, now)| !fence.form.is_weaker(now.form));
    let is_open = |(table, fence)| relation::class(table).is_some() && !stands(fence);
    match noted.into_iter().find(|&noted| is_open(noted) && (installed || policy::has_any(noted.0))) {
        Some((table, _)) => {
            let name = relation::name(table);
            Err(Report::new(
                Refusal::ProtectionGuarded,
                format!("the command would take the tenant policy of table {name}"),
            )
            .detail("The policy depends on what was dropped with CASCADE.")
            .hint(format!("First: select tenant.unprotect({}, '<reason>');", relation::literal(table))))
        }
        None => Ok(()),
    }
}
