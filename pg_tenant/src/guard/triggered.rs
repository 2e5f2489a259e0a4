//! Trigger functions in C, which the executor calls without asking anybody: contrib's `tcn` notifies, `lo_manage` removes
//! large objects. Refused to whoever may have put the trigger there, on a temporary table for one, before the tenant was
//! entered; what the owner of a table has put on it for others is the owner's affair, and a finding.

use crate::guard::{function, in_tenant};
use crate::pg::report::Outcome;
use crate::pg::{hierarchy, relation, role, trigger};
use pgrx::pg_sys::Oid;

/// Judges the triggers of a relation that a statement inside a tenant is about to write.
pub fn judge(written: Oid) -> Outcome<()> {
    one(written)?;
    // A leaf may have triggers of its own. Those of a protected hierarchy are its owner's.
    match relation::class(written) {
        Some(class) if class.has_children && (class.temporary || !in_tenant::concerns(written)) => {
            hierarchy::descendants(written).into_iter().try_for_each(one)
        }
        _ => Ok(()),
    }
}

fn one(table: Oid) -> Outcome<()> {
    let functions = trigger::functions_on(table);
    if functions.is_empty()
        || ![role::outer_user(), role::session_user()].iter().any(|&by| role::may_put_triggers(by, table))
    {
        return Ok(());
    }
    functions.into_iter().try_for_each(function::judge)
}
