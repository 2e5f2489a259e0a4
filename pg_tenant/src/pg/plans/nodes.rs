//! The nodes of a plan. `tests/tests/extension/strict/` compares the two lists with what PostgreSQL's header declares:
//! a node that is in neither may scan a table in a way that nobody has looked at.

use crate::pg::list::nodes;
use pgrx::pg_sys::{self, List, Node, NodeTag, Plan, PlannedStmt};

/// What a node does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// It fetches rows of a relation and evaluates conditions on each.
    Scans,
    /// It works on what the nodes below it give.
    Computes,
    /// Nobody has looked at it.
    Unknown,
}

/// What the nodes with this tag do.
pub fn does(tag: NodeTag) -> Does {
    use pg_sys::NodeTag::*;
    match tag {
        T_SeqScan | T_SampleScan | T_IndexScan | T_IndexOnlyScan | T_BitmapHeapScan | T_TidScan | T_TidRangeScan
        | T_ForeignScan | T_CustomScan => Does::Scans,
        // A BitmapIndexScan gives places; whether a row is there, and which, is for the BitmapHeapScan above it.
        T_BitmapIndexScan
        | T_BitmapAnd
        | T_BitmapOr
        | T_Result
        | T_ProjectSet
        | T_ModifyTable
        | T_Append
        | T_MergeAppend
        | T_RecursiveUnion
        | T_SubqueryScan
        | T_FunctionScan
        | T_ValuesScan
        | T_TableFuncScan
        | T_CteScan
        | T_NamedTuplestoreScan
        | T_WorkTableScan
        | T_NestLoop
        | T_MergeJoin
        | T_HashJoin
        | T_Material
        | T_Memoize
        | T_Sort
        | T_IncrementalSort
        | T_Group
        | T_Agg
        | T_WindowAgg
        | T_Unique
        | T_Gather
        | T_GatherMerge
        | T_Hash
        | T_SetOp
        | T_LockRows
        | T_Limit => Does::Computes,
        _ => Does::Unknown,
    }
}

/// Whether a list of conditions has one that is false whatever the row is: where a table has no permissive policy that
/// is all that PostgreSQL puts into a plan.
///
/// # Safety
/// The list is null or one of valid nodes.
pub(super) unsafe fn is_never(conditions: *mut List) -> bool {
    // SAFETY: the caller's list is null or one of conditions.
    unsafe { nodes(conditions).any(|node| is_false(node)) }
}

/// Whether the condition is the constant `false`, or null.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn is_false(node: *mut Node) -> bool {
    // SAFETY: the cast follows the tag.
    unsafe {
        (*node).type_ == NodeTag::T_Const && {
            let value = &*node.cast::<pg_sys::Const>();
            value.constisnull || value.constvalue.value() == 0
        }
    }
}

/// Calls `each` with every node of the plan, those of its subplans included, but for what is below one that never gives
/// a row.
///
/// # Safety
/// The plan is valid and nobody changes it meanwhile but `each`, which leaves the children of a node as they are.
pub unsafe fn walk(planned: *mut PlannedStmt, mut each: impl FnMut(*mut Plan)) {
    // SAFETY: the caller's promise.
    unsafe { walk_from_top(planned, true, &mut each) }
}

/// As [`walk`], and with what never gives a row: it is made ready all the same.
///
/// # Safety
/// As [`walk`].
pub unsafe fn walk_all(planned: *mut PlannedStmt, mut each: impl FnMut(*mut Plan)) {
    // SAFETY: the caller's promise.
    unsafe { walk_from_top(planned, false, &mut each) }
}

/// # Safety
/// The plan is valid.
unsafe fn walk_from_top(planned: *mut PlannedStmt, skips: bool, each: &mut impl FnMut(*mut Plan)) {
    // SAFETY: the callers' promise.
    unsafe {
        walk_in((*planned).planTree, skips, each);
        for plan in nodes((*planned).subplans) {
            walk_in(plan.cast(), skips, each);
        }
    }
}

/// # Safety
/// The node is valid, and one of this plan.
unsafe fn walk_in(plan: *mut Plan, skips: bool, each: &mut impl FnMut(*mut Plan)) {
    if plan.is_null() {
        return;
    }
    // SAFETY: each cast follows the node's tag.
    unsafe {
        pg_sys::check_stack_depth();
        if skips
            && (*plan).type_ == NodeTag::T_Result
            && is_never((*plan.cast::<pg_sys::Result>()).resconstantqual.cast())
        {
            return;
        }
        each(plan);
        for below in nodes(below(plan)) {
            walk_in(below.cast(), skips, each);
        }
        if (*plan).type_ == NodeTag::T_SubqueryScan {
            walk_in((*plan.cast::<pg_sys::SubqueryScan>()).subplan, skips, each);
        }
        walk_in((*plan).lefttree, skips, each);
        walk_in((*plan).righttree, skips, each);
    }
}

/// The nodes below one that has more than two.
///
/// # Safety
/// The node is valid, and one of this plan.
unsafe fn below(plan: *mut Plan) -> *mut List {
    // SAFETY: each cast follows the node's tag.
    unsafe {
        match (*plan).type_ {
            NodeTag::T_Append => (*plan.cast::<pg_sys::Append>()).appendplans,
            NodeTag::T_MergeAppend => (*plan.cast::<pg_sys::MergeAppend>()).mergeplans,
            NodeTag::T_BitmapAnd => (*plan.cast::<pg_sys::BitmapAnd>()).bitmapplans,
            NodeTag::T_BitmapOr => (*plan.cast::<pg_sys::BitmapOr>()).bitmapplans,
            NodeTag::T_CustomScan => (*plan.cast::<pg_sys::CustomScan>()).custom_plans,
            _ => std::ptr::null_mut(),
        }
    }
}
