//! Trigger functions in C, which the executor calls without any check: `tcn` of contrib notifies, `lo_manage` removes
//! large objects. Refused where the current user may have created the trigger before the tenant was entered, for
//! example on a temporary table. A trigger that the owner has put on a table for others is left alone; the doctor
//! reports it.

use crate::guard::{function, in_tenant};
use crate::pg::report::Outcome;
use crate::pg::{hierarchy, relation, role, trigger};
use pgrx::pg_sys::Oid;

/// Judges the triggers of a relation that a statement inside a tenant is about to write.
pub fn judge(written: Oid) -> Outcome<()> {
    one(written)?;
    // A partition may have triggers of its own. Triggers of a protected hierarchy belong to its owner.
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
