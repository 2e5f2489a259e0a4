//! Plans: what a query is about to do.

use crate::pg::list::nodes;
use pgrx::pg_sys::{self, CmdType, NodeTag, Plan, QueryDesc};

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
