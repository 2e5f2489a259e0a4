//! Nodes of parse trees and plans.

use pgrx::pg_sys::{self, Node, NodeTag};

/// The expression under a change of type or collation that costs nothing; any other expression itself.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn under_label(node: *mut Node) -> *mut Node {
    // SAFETY: the cast follows a check of the node's tag.
    unsafe {
        match (*node).type_ {
            NodeTag::T_RelabelType => (*node.cast::<pg_sys::RelabelType>()).arg.cast(),
            _ => node,
        }
    }
}
