//! Conditions whose evaluation shows nothing of a row.

use crate::pg::list::nodes;
use crate::pg::own_function::{self, Own};
use pgrx::pg_sys::{self, Node, NodeTag};

/// Whether evaluating the condition for a hidden row tells nothing of it: an operator that does not leak, between
/// columns and values that do not change meanwhile. No call of a function but our readers.
///
/// # Safety
/// `node` is a node of a finished plan.
pub unsafe fn is_quiet(node: *mut Node) -> bool {
    // SAFETY: each cast follows the node's tag; a finished plan has the operators' functions looked up.
    unsafe {
        let (function, args) = match (*node).type_ {
            NodeTag::T_OpExpr => {
                let op = &*node.cast::<pg_sys::OpExpr>();
                (op.opfuncid, op.args)
            }
            NodeTag::T_ScalarArrayOpExpr => {
                let op = &*node.cast::<pg_sys::ScalarArrayOpExpr>();
                (op.opfuncid, op.args)
            }
            NodeTag::T_NullTest => return is_value((*node.cast::<pg_sys::NullTest>()).arg.cast()),
            _ => return is_value(node),
        };
        pg_sys::get_func_leakproof(function) && nodes(args).all(|argument| is_value(argument))
    }
}

/// A column, a constant, a parameter or the current tenant.
///
/// # Safety
/// `node` is a valid node.
unsafe fn is_value(node: *mut Node) -> bool {
    // SAFETY: each cast follows the node's tag.
    unsafe {
        match (*node).type_ {
            NodeTag::T_Var | NodeTag::T_Const | NodeTag::T_Param => true,
            NodeTag::T_RelabelType => is_value((*node.cast::<pg_sys::RelabelType>()).arg.cast()),
            NodeTag::T_FuncExpr => own_function::of((*node.cast::<pg_sys::FuncExpr>()).funcid)
                .is_some_and(|own| !matches!(own, Own::IsMember | Own::Requires)),
            _ => false,
        }
    }
}
