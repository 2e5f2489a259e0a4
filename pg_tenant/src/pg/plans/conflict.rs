//! INSERT … ON CONFLICT DO UPDATE … WHERE.

use crate::pg::list::nodes;
use crate::pg::{list, policy};
use pgrx::pg_sys::{self, List, ModifyTable, NodeTag, Oid, OnConflictAction, Plan, PlannedStmt};

/// Every INSERT … ON CONFLICT DO UPDATE … WHERE of the plan on a table for which `fenced` says so: the table's tenant
/// policies are asked before the WHERE, through the function `asks(boolean)`, which raises where the row is another
/// tenant's. PostgreSQL before its minor versions of November 2026 evaluates the WHERE first.
///
/// # Safety
/// `planned` was made a moment ago and nobody else has seen it. Nothing to drop in the caller's frame.
pub unsafe fn ask_policy_before_conflict(
    planned: *mut PlannedStmt,
    fenced: impl Fn(Oid) -> bool,
    asks: impl Fn() -> Oid,
) {
    // SAFETY: the plan's nodes are valid and ours to change; each cast follows a tag.
    unsafe {
        let top = std::iter::once((*planned).planTree);
        let within = nodes((*planned).subplans).map(|plan| plan.cast::<Plan>());
        for plan in top.chain(within) {
            if plan.is_null() || (*plan).type_ != NodeTag::T_ModifyTable {
                continue;
            }
            let modify = plan.cast::<ModifyTable>();
            let condition = (*modify).onConflictWhere.cast::<List>();
            if (*modify).onConflictAction != OnConflictAction::ONCONFLICT_UPDATE || condition.is_null() {
                continue;
            }
            let Some(at) = list::integers((*modify).resultRelations).next() else { continue };
            let Some(entry) = nodes((*planned).rtable).nth(at as usize - 1) else { continue };
            let table = (*entry.cast::<pg_sys::RangeTblEntry>()).relid;
            if !fenced(table) {
                continue;
            }
            for fence in policy::fence_conditions(table) {
                pg_sys::ChangeVarNodes(fence, 1, at, 0);
                let args = pg_sys::lappend(std::ptr::null_mut(), fence.cast());
                let form = pg_sys::CoercionForm::COERCE_EXPLICIT_CALL;
                let ask = pg_sys::makeFuncExpr(asks(), pg_sys::BOOLOID, args, Oid::INVALID, Oid::INVALID, form);
                let asked = (*modify).onConflictWhere.cast::<List>();
                (*modify).onConflictWhere = pg_sys::lcons(ask.cast(), asked).cast();
            }
        }
    }
}
