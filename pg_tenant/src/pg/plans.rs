//! Plans: what a query is about to do.

use crate::pg::list::nodes;
use crate::pg::{list, policy};
use pgrx::pg_sys::{self, CmdType, List, ModifyTable, NodeTag, Oid, OnConflictAction, Plan, PlannedStmt, QueryDesc};

/// Whether the query is a MERGE, or has one in a WITH (from 17).
///
/// # Safety
/// `query` is valid during the call.
pub unsafe fn merges(query: *mut QueryDesc) -> bool {
    // SAFETY: the plan belongs to the query; the cast follows the tag.
    unsafe {
        let planned = (*query).plannedstmt;
        let is_merge = |plan: *mut Plan| {
            !plan.is_null()
                && (*plan).type_ == NodeTag::T_ModifyTable
                && (*plan.cast::<pg_sys::ModifyTable>()).operation == CmdType::CMD_MERGE
        };
        (*query).operation == CmdType::CMD_MERGE
            || ((*planned).hasModifyingCTE && nodes((*planned).subplans).any(|plan| is_merge(plan.cast())))
    }
}

/// Every INSERT … ON CONFLICT DO UPDATE … WHERE of the plan on a table for which `fenced` says so: the table's tenant
/// policy is asked before the WHERE, through the function `asks(boolean)`, which raises where the row is another
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
            if let Some(equality) = policy::fence_equality(table) {
                pg_sys::ChangeVarNodes(equality, 1, at, 0);
                let args = pg_sys::lappend(std::ptr::null_mut(), equality.cast());
                let form = pg_sys::CoercionForm::COERCE_EXPLICIT_CALL;
                let ask = pg_sys::makeFuncExpr(asks(), pg_sys::BOOLOID, args, Oid::INVALID, Oid::INVALID, form);
                (*modify).onConflictWhere = pg_sys::lcons(ask.cast(), condition).cast();
            }
        }
    }
}

/// Puts the tenant policy in front of every filter of the plan. PostgreSQL orders conditions that cannot leak by their
/// cost alone, and counts a volatile call without columns among them: it would run, or not, for another tenant's rows.
///
/// # Safety
/// As [`ask_policy_before_conflict`].
pub unsafe fn fences_first(planned: *mut PlannedStmt) {
    // SAFETY: the plan's nodes are valid and ours to change.
    unsafe {
        fences_first_in((*planned).planTree);
        for plan in nodes((*planned).subplans) {
            fences_first_in(plan.cast());
        }
    }
}

unsafe fn fences_first_in(plan: *mut Plan) {
    if plan.is_null() {
        return;
    }
    // SAFETY: each cast follows the node's tag; a list's cells are changed in place.
    unsafe {
        pg_sys::check_stack_depth();
        let quals = (*plan).qual;
        let fence = nodes(quals).position(|qual| policy::is_fence_equality(qual));
        for at in (0..fence.unwrap_or(0)).rev() {
            let cells = (*quals).elements;
            std::ptr::swap(cells.add(at), cells.add(at + 1));
        }
        let below = match (*plan).type_ {
            NodeTag::T_Append => (*plan.cast::<pg_sys::Append>()).appendplans,
            NodeTag::T_MergeAppend => (*plan.cast::<pg_sys::MergeAppend>()).mergeplans,
            NodeTag::T_CustomScan => (*plan.cast::<pg_sys::CustomScan>()).custom_plans,
            NodeTag::T_SubqueryScan => {
                fences_first_in((*plan.cast::<pg_sys::SubqueryScan>()).subplan);
                std::ptr::null_mut()
            }
            _ => std::ptr::null_mut(),
        };
        for plan in nodes(below) {
            fences_first_in(plan.cast());
        }
        fences_first_in((*plan).lefttree);
        fences_first_in((*plan).righttree);
    }
}
