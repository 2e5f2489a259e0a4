//! The nodes of a plan. `tests/tests/strict/` compares the two lists with what PostgreSQL's header declares: a node that is
//! in neither may scan a table in a way that nobody has looked at.

use crate::pg::list::nodes;
use pgrx::pg_sys::{self, List, NodeTag, Plan, PlannedStmt};

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

/// Calls `each` with every node of the plan, those of its subplans included.
///
/// # Safety
/// The plan is valid and nobody changes it meanwhile but `each`, which leaves the children of a node as they are.
pub unsafe fn walk(planned: *mut PlannedStmt, mut each: impl FnMut(*mut Plan)) {
    // SAFETY: the caller's promise.
    unsafe {
        walk_in((*planned).planTree, &mut each);
        for plan in nodes((*planned).subplans) {
            walk_in(plan.cast(), &mut each);
        }
    }
}

unsafe fn walk_in(plan: *mut Plan, each: &mut impl FnMut(*mut Plan)) {
    if plan.is_null() {
        return;
    }
    // SAFETY: each cast follows the node's tag.
    unsafe {
        pg_sys::check_stack_depth();
        each(plan);
        for below in nodes(below(plan)) {
            walk_in(below.cast(), each);
        }
        if (*plan).type_ == NodeTag::T_SubqueryScan {
            walk_in((*plan.cast::<pg_sys::SubqueryScan>()).subplan, each);
        }
        walk_in((*plan).lefttree, each);
        walk_in((*plan).righttree, each);
    }
}

/// The nodes below one that has more than two.
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
