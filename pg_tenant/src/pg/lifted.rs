//! Lifts row-level security from some tables of a query before it is planned: removes the conditions on rows that are
//! read and the checks of rows that are written, which the rewriter has added. Checks that a view asks for stay.
//!
//! A cached plan does not know of this: whoever starts or stops lifting forgets all plans ([`forget_plans`]).

use crate::pg::list::{length, nodes};
use crate::pg::query;
use pgrx::pg_sys::{self, Node, Oid, Query, RTEKind, RangeTblEntry};

/// Whether it is lifted from this table, which is read and written with the rights of this user; of the current one
/// where it is InvalidOid.
pub type IsLifted = fn(Oid, Oid) -> bool;

/// Lifts it wherever in the query `is_lifted` says so.
///
/// # Safety
/// `query` is rewritten, not planned yet, and the planner's to change. Nothing to drop in the caller's frame.
pub unsafe fn lift(query: *mut Query, is_lifted: IsLifted) {
    let mut lift_in = |query: *mut Query| {
        // SAFETY: casts follow tags.
        unsafe {
            for (at, entry) in nodes((*query).rtable).enumerate() {
                let entry = entry.cast::<RangeTblEntry>();
                let is_target = (*query).resultRelation == at as i32 + 1;
                if (*entry).rtekind == RTEKind::RTE_RELATION
                    && (length((*entry).securityQuals) > 0 || is_target)
                    && is_lifted((*entry).relid, as_user(query, entry))
                {
                    (*entry).securityQuals = std::ptr::null_mut();
                    if is_target {
                        (*query).withCheckOptions = of_views((*query).withCheckOptions);
                    }
                }
            }
        }
    };
    // SAFETY: the caller's promise.
    unsafe { query::each(query, &mut lift_in) }
}

/// Plans that are kept are made anew when they are used next: nothing here can fail.
pub fn forget_plans() {
    // SAFETY: marks the plans of this backend as outdated.
    unsafe { pg_sys::ResetPlanCache() }
}

/// # Safety
/// `entry` is an entry of `query`.
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

/// # Safety
/// The list is one of WITH CHECK OPTIONs.
unsafe fn of_views(options: *mut pg_sys::List) -> *mut pg_sys::List {
    // SAFETY: a list of WithCheckOption.
    unsafe {
        let of_view =
            |option: &*mut Node| (*option.cast::<pg_sys::WithCheckOption>()).kind == pg_sys::WCOKind::WCO_VIEW_CHECK;
        nodes(options).filter(of_view).fold(std::ptr::null_mut(), |kept, option| pg_sys::lappend(kept, option.cast()))
    }
}
