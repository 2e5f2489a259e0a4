//! Rewritten queries, before they are planned: the query itself and whatever stands in it.

use crate::pg::list::nodes;
use crate::pg::raw;
use pgrx::pg_sys::{self, Node, NodeTag, Query, RTEKind, RangeTblEntry};
use std::ffi::c_void;

type Visit<'a> = &'a mut dyn FnMut(*mut Query);

/// Calls `visit` for the query, its subqueries, those of WITH and those in expressions.
///
/// # Safety
/// `query` is rewritten, not planned yet, and the planner's to change. Nothing to drop in the caller's frame.
pub unsafe fn each(query: *mut Query, mut visit: Visit<'_>) {
    // SAFETY: the caller's promise; the pointer to `visit` is used during the call only.
    unsafe { each_in(query, (&raw mut visit).cast()) }
}

/// # Safety
/// `query` is valid; `visit` is what the walk was begun with.
unsafe fn each_in(query: *mut Query, visit: *mut c_void) {
    // SAFETY: casts follow tags; a CTE's query is analyzed; the context is what `each` passes.
    unsafe {
        (*visit.cast::<Visit<'_>>())(query);
        for entry in nodes((*query).rtable) {
            let entry = entry.cast::<RangeTblEntry>();
            if (*entry).rtekind == RTEKind::RTE_SUBQUERY {
                each_in((*entry).subquery, visit);
            }
        }
        for with in nodes((*query).cteList) {
            each_in((*with.cast::<pg_sys::CommonTableExpr>()).ctequery.cast(), visit);
        }
        if (*query).hasSubLinks {
            raw::query_tree_walker(query, Some(each_in_expression), visit, raw::QTW_IGNORE_SUBQUERIES);
        }
    }
}

unsafe extern "C-unwind" fn each_in_expression(node: *mut Node, visit: *mut c_void) -> bool {
    // SAFETY: as above; PostgreSQL's walkers call with a node or null. Nothing to drop in this frame.
    unsafe {
        if node.is_null() {
            return false;
        }
        if (*node).type_ == NodeTag::T_Query {
            each_in(node.cast(), visit);
            return false;
        }
        raw::expression_tree_walker(node, Some(each_in_expression), visit)
    }
}
