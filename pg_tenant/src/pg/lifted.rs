//! Row-level security that is lifted from some tables of a query, before it is planned: what the rewriter has put there
//! goes, conditions on rows that are read and checks of rows that are written. A check that a view asks for stays.
//!
//! A plan that is kept remembers nothing of this: who lifts, and who stops lifting, forgets all plans ([`forget_plans`]).

use crate::pg::list::{length, nodes};
use crate::pg::raw;
use pgrx::pg_sys::{self, Node, NodeTag, Oid, Query, RTEKind, RangeTblEntry};
use std::ffi::c_void;

/// Whether it is lifted from this table, which is read and written with the rights of this user; of the current one where
/// it is InvalidOid.
pub type IsLifted = fn(Oid, Oid) -> bool;

/// Lifts it wherever in the query `is_lifted` says so.
///
/// # Safety
/// `query` is rewritten, not planned yet, and the planner's to change. Nothing to drop in the caller's frame.
pub unsafe fn lift(query: *mut Query, is_lifted: IsLifted) {
    // SAFETY: the caller's promise; the pointer to `is_lifted` is used during the call only.
    unsafe { lift_in(query, (&raw const is_lifted).cast_mut().cast()) }
}

/// Plans that are kept are made anew when they are used next: nothing here can fail.
pub fn forget_plans() {
    // SAFETY: marks the plans of this backend as outdated.
    unsafe { pg_sys::ResetPlanCache() }
}

unsafe fn lift_in(query: *mut Query, is_lifted: *mut c_void) {
    // SAFETY: casts follow tags; a CTE's query is analyzed; the context is what `lift` passes.
    unsafe {
        for (at, entry) in nodes((*query).rtable).enumerate() {
            let entry = entry.cast::<RangeTblEntry>();
            if (*entry).rtekind == RTEKind::RTE_SUBQUERY {
                lift_in((*entry).subquery, is_lifted);
            } else if (*entry).rtekind == RTEKind::RTE_RELATION
                && (length((*entry).securityQuals) > 0 || (*query).resultRelation == at as i32 + 1)
                && (*is_lifted.cast::<IsLifted>())((*entry).relid, as_user(query, entry))
            {
                (*entry).securityQuals = std::ptr::null_mut();
                if (*query).resultRelation == at as i32 + 1 {
                    (*query).withCheckOptions = of_views((*query).withCheckOptions);
                }
            }
        }
        for with in nodes((*query).cteList) {
            lift_in((*with.cast::<pg_sys::CommonTableExpr>()).ctequery.cast(), is_lifted);
        }
        if (*query).hasSubLinks {
            raw::query_tree_walker(query, Some(lift_in_expression), is_lifted, raw::QTW_IGNORE_SUBQUERIES);
        }
    }
}

unsafe extern "C-unwind" fn lift_in_expression(node: *mut Node, is_lifted: *mut c_void) -> bool {
    // SAFETY: as above; PostgreSQL's walkers call with a node or null. Nothing to drop in this frame.
    unsafe {
        if node.is_null() {
            return false;
        }
        if (*node).type_ == NodeTag::T_Query {
            lift_in(node.cast(), is_lifted);
            return false;
        }
        raw::expression_tree_walker(node, Some(lift_in_expression), is_lifted)
    }
}

unsafe fn as_user(#[allow(unused)] query: *mut Query, entry: *mut RangeTblEntry) -> Oid {
    // SAFETY: an entry of this query; from 16 it leads to its permission info.
    unsafe {
        #[cfg(feature = "pg15")]
        return (*entry).checkAsUser;
        #[cfg(not(feature = "pg15"))]
        {
            let index = ((*entry).perminfoindex as usize).checked_sub(1);
            let info = index.and_then(|at| crate::pg::list::node((*query).rteperminfos, at));
            info.map_or(Oid::INVALID, |info| (*info.cast::<pg_sys::RTEPermissionInfo>()).checkAsUser)
        }
    }
}

unsafe fn of_views(options: *mut pg_sys::List) -> *mut pg_sys::List {
    // SAFETY: a list of WithCheckOption.
    unsafe {
        let of_view =
            |option: &*mut Node| (*option.cast::<pg_sys::WithCheckOption>()).kind == pg_sys::WCOKind::WCO_VIEW_CHECK;
        nodes(options).filter(of_view).fold(std::ptr::null_mut(), |kept, option| pg_sys::lappend(kept, option.cast()))
    }
}
