//! Where a scan evaluates conditions and distances: in its filter, and outside of it.

use super::quiet::is_quiet;
use crate::pg::list::{length, nodes};
use pgrx::pg_sys::{self, List, Node, NodeTag, Plan, Var};

/// What a scan evaluates for a row, beside its filter.
pub(super) struct Beside {
    /// Conditions of an index, asked again of the row.
    pub(super) rechecked: *mut *mut List,
    /// Distances by which the index orders rows, computed again from each row.
    distances: *mut List,
    /// What a Var of the index, or of what a foreign or custom scan gives, stands for.
    pub(super) target: *mut List,
}

/// # Safety
/// The node is valid, and one of this plan.
pub(super) unsafe fn beside(plan: *mut Plan) -> Beside {
    let none = std::ptr::null_mut();
    // SAFETY: each cast follows the node's tag.
    unsafe {
        match (*plan).type_ {
            NodeTag::T_IndexScan => {
                let scan = plan.cast::<pg_sys::IndexScan>();
                Beside { rechecked: &raw mut (*scan).indexqualorig, distances: (*scan).indexorderbyorig, target: none }
            }
            NodeTag::T_IndexOnlyScan => {
                let scan = plan.cast::<pg_sys::IndexOnlyScan>();
                Beside { rechecked: &raw mut (*scan).recheckqual, distances: none, target: (*scan).indextlist }
            }
            NodeTag::T_BitmapHeapScan => {
                let scan = plan.cast::<pg_sys::BitmapHeapScan>();
                Beside { rechecked: &raw mut (*scan).bitmapqualorig, distances: none, target: none }
            }
            NodeTag::T_ForeignScan => {
                let target = (*plan.cast::<pg_sys::ForeignScan>()).fdw_scan_tlist;
                Beside { rechecked: std::ptr::null_mut(), distances: none, target }
            }
            NodeTag::T_CustomScan => {
                let target = (*plan.cast::<pg_sys::CustomScan>()).custom_scan_tlist;
                Beside { rechecked: std::ptr::null_mut(), distances: none, target }
            }
            _ => Beside { rechecked: std::ptr::null_mut(), distances: none, target: none },
        }
    }
}

/// Puts these conditions, in this order, in place of the scan's filter, which has no fewer; and the fence in front of
/// what is evaluated beside it.
///
/// # Safety
/// The node is one of a plan that was made a moment ago, and ours to change.
pub(super) unsafe fn put<'a>(
    plan: *mut Plan,
    beside: &Beside,
    stands: *mut Node,
    filter: impl Iterator<Item = &'a *mut Node>,
) {
    // SAFETY: the plan's nodes are valid and ours to change.
    unsafe {
        let quals = (*plan).qual;
        let mut count = 0;
        for (place, node) in filter.enumerate() {
            (*(*quals).elements.add(place)).ptr_value = node.cast();
            count += 1;
        }
        (*plan).qual = pg_sys::list_truncate(quals, count);
        if !beside.rechecked.is_null() && !nodes(*beside.rechecked).all(|condition| is_quiet(condition)) {
            *beside.rechecked = pg_sys::lcons(pg_sys::copyObjectImpl(stands.cast()), *beside.rechecked);
        }
        for place in 0..length(beside.distances) {
            let cell = (*beside.distances).elements.add(place);
            (*cell).ptr_value = where_stands(stands, (*cell).ptr_value.cast()).cast();
        }
    }
}

/// `case when fence then value end`: a row that is not the tenant's has no distance, and stands behind those that have.
///
/// # Safety
/// Both are valid nodes.
unsafe fn where_stands(fence: *mut Node, value: *mut Node) -> *mut Node {
    // SAFETY: fresh nodes, filled as the parser fills them.
    unsafe {
        let when = pg_sys::palloc0(size_of::<pg_sys::CaseWhen>()).cast::<pg_sys::CaseWhen>();
        (*when).xpr.type_ = NodeTag::T_CaseWhen;
        (*when).expr = pg_sys::copyObjectImpl(fence.cast()).cast();
        (*when).result = value.cast();
        let (of_type, collation) = (pg_sys::exprType(value), pg_sys::exprCollation(value));
        let case = pg_sys::palloc0(size_of::<pg_sys::CaseExpr>()).cast::<pg_sys::CaseExpr>();
        (*case).xpr.type_ = NodeTag::T_CaseExpr;
        (*case).casetype = of_type;
        (*case).casecollid = collation;
        (*case).args = pg_sys::lappend(std::ptr::null_mut(), when.cast());
        (*case).defresult = pg_sys::makeNullConst(of_type, -1, collation).cast();
        case.cast()
    }
}

/// Whether this is the column of the scanned relation. `varattnosyn` is not asked: in a child it is the parent's.
///
/// # Safety
/// `var` is a Var of the plan, `target` null or a target list of it.
pub(super) unsafe fn stands_for(var: *const Var, at: u32, column: i16, target: *mut List) -> bool {
    // SAFETY: the callers' nodes are of this plan; the cast follows the tag.
    unsafe {
        let mut var = &*var;
        if var.varno as i64 == i64::from(pg_sys::INDEX_VAR) {
            let entries = || nodes(target).map(|node| &*node.cast::<pg_sys::TargetEntry>());
            let Some(entry) = entries().find(|entry| entry.resno == var.varattno) else { return false };
            if entry.expr.is_null() || (*entry.expr).type_ != NodeTag::T_Var {
                return false;
            }
            var = &*entry.expr.cast::<Var>();
        }
        var.varno as i64 == i64::from(at) && var.varattno == column && var.varlevelsup == 0
    }
}
