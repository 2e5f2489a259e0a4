//! The conditions of a scan, with the fence in front of the other ones.

use super::beside::{beside, put, stands_for};
use super::nodes::is_false;
use crate::pg::list::{length, nodes};
use crate::pg::policy::{self, Fence, Form};
use pgrx::pg_sys::{Node, Plan, Var};

/// Puts the fence on this column first in the filter of the scan and in the conditions outside the filter. Returns
/// whether the scan has one; a scan for rows that are written needs the fence for own rows, not the one that also
/// admits shared rows.
///
/// # Safety
/// The node is one of a plan that was made a moment ago, and ours to change.
pub(super) unsafe fn put_first(plan: *mut Plan, at: u32, column: i16, fence: Fence, writes: bool) -> bool {
    // SAFETY: the plan's nodes are valid and ours to change.
    unsafe {
        let beside = beside(plan);
        let is_column = |var: *const Var| stands_for(var, at, column, beside.target);
        let is_own = |node: *mut Node| policy::is_current(node).is_some_and(|(var, _)| is_column(var));
        let is_shared = |node: *mut Node| policy::is_current_or_shared(node).is_some_and(|(var, _)| is_column(var));
        let is_either = |node: *mut Node| {
            policy::tenant_equality_or_null(node).is_some_and(|it| it.reader == fence.reader && is_column(it.column))
        };
        let equality = |node: *mut Node| {
            policy::tenant_equality(node).filter(|it| it.reader == fence.reader && is_column(it.column))
        };
        let is_equality = |node: *mut Node| equality(node).is_some();
        let quals = (*plan).qual;
        let says = |node: *mut Node| match fence.form {
            Form::Former => is_equality(node),
            Form::Own => is_own(node),
            Form::OrShared | Form::Torn => is_own(node) || !writes && is_shared(node),
            Form::Membership(_) => false,
        };
        let of_fence = |node: &*mut Node| says(*node) || is_false(*node);
        let (mut first, mut rest): (Vec<_>, Vec<_>) = nodes(quals).partition(of_fence);
        first.sort_by_key(|&node| is_shared(node));
        let Some(&stands) = first.first() else { return false };
        first.truncate(1);
        // The fence implies these conditions.
        let own = !is_shared(stands);
        rest.retain(|&node| !is_either(node) && !(own && (is_equality(node) || is_shared(node))));
        // An index condition on the current tenant makes the fence unnecessary: the index returns no rows of others, or
        // the condition is checked again on each row.
        let asked = !beside.rechecked.is_null()
            && nodes(*beside.rechecked).any(|condition| equality(condition).is_some_and(|it| it.exact));
        if asked && !fence.is_former() && !is_false(stands) {
            first.clear();
        }
        put(plan, &beside, stands, first.iter().chain(&rest));
        true
    }
}

/// Puts conditions on the current tenant, whichever column they compare, in front of the scan's other ones.
///
/// # Safety
/// The node is one of a plan that was made a moment ago, and ours to change.
pub(super) unsafe fn readers_first(plan: *mut Plan) {
    // SAFETY: the list's cells are changed in place.
    unsafe {
        let quals = (*plan).qual;
        let reads = |node: &*mut Node| {
            policy::tenant_equality(*node).is_some()
                || policy::is_current(*node).is_some()
                || policy::is_current_or_shared(*node).is_some()
        };
        if length(quals) < 2 || !nodes(quals).any(|node| reads(&node)) {
            return;
        }
        let (first, rest): (Vec<_>, Vec<_>) = nodes(quals).partition(reads);
        for (place, node) in first.into_iter().chain(rest).enumerate() {
            (*(*quals).elements.add(place)).ptr_value = node.cast();
        }
    }
}
