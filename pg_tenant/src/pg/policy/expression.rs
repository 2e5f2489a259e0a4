//! Expressions on the current tenant, in policies and in plans: a column compared with a reader, or passed to
//! `tenant.is_current`.

use super::Reader;
use crate::pg::list;
use crate::pg::node::under_label;
use crate::pg::oids;
use crate::pg::own_function::{self, Own};
use crate::pg::text;
use pgrx::pg_sys::{self, Node, NodeTag};

/// `column = reader()`, in a policy or a plan.
pub struct Equality {
    pub column: *const pg_sys::Var,
    pub reader: Reader,
    /// It compares as the column itself does: not under another collation.
    pub exact: bool,
}

/// Matches `column = reader()`.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn tenant_equality(node: *mut Node) -> Option<Equality> {
    const EQUALITIES: [u32; 5] =
        [pg_sys::F_UUID_EQ, pg_sys::F_TEXTEQ, pg_sys::F_INT8EQ, pg_sys::F_INT48EQ, pg_sys::F_INT28EQ];
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        if (*node).type_ != NodeTag::T_OpExpr {
            return None;
        }
        let op = &*node.cast::<pg_sys::OpExpr>();
        let mut args = list::nodes(op.args);
        let (Some(left), Some(right), None) = (args.next(), args.next(), args.next()) else { return None };
        let right = under_label(right);
        if (*right).type_ != NodeTag::T_FuncExpr {
            return None;
        }
        let Some(Own::Reads(reader)) = own_function::of((*right.cast::<pg_sys::FuncExpr>()).funcid) else {
            return None;
        };
        // The operator is PostgreSQL's own: who makes another over the same function is not taken for the fence.
        let own = !oids::is_of_users(op.opno) && EQUALITIES.contains(&u32::from(pg_sys::get_opcode(op.opno)));
        let column = column(left).filter(|_| own)?;
        Some(Equality { column, reader, exact: op.inputcollid == (*column).varcollid })
    }
}

/// Matches `column = reader() or column is null`.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn tenant_equality_or_null(node: *mut Node) -> Option<Equality> {
    // SAFETY: the cast follows a check of the tag.
    unsafe {
        let (first, second) = pair(node, pg_sys::BoolExprType::OR_EXPR)?;
        let either = |equality, null: *mut Node| {
            let equality = tenant_equality(equality)?;
            let is_null = (*null).type_ == NodeTag::T_NullTest && {
                let test = &*null.cast::<pg_sys::NullTest>();
                test.nulltesttype == pg_sys::NullTestType::IS_NULL
                    && column(test.arg.cast()).is_some_and(|var| pg_sys::equal(var.cast(), equality.column.cast()))
            };
            is_null.then_some(equality)
        };
        either(first, second).or_else(|| either(second, first))
    }
}

/// Matches `is_current(column)`, of a policy or a plan.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn is_current(node: *mut Node) -> Option<(*const pg_sys::Var, Reader)> {
    // SAFETY: the caller's promise.
    match unsafe { call_on_column(node) }? {
        (Own::IsCurrent(reader), var) => Some((var, reader)),
        _ => None,
    }
}

/// Matches `is_current_or_shared(column)`, of a policy or a plan.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn is_current_or_shared(node: *mut Node) -> Option<(*const pg_sys::Var, Reader)> {
    // SAFETY: the caller's promise.
    match unsafe { call_on_column(node) }? {
        (Own::IsCurrentOrShared(reader), var) => Some((var, reader)),
        _ => None,
    }
}

/// The permission of `tenant.require('<permission>')`, of a policy.
///
/// # Safety
/// `node` is a valid node.
pub unsafe fn required_permission(node: *mut Node) -> Option<String> {
    // SAFETY: each cast follows a check of the node's tag; a constant text is one.
    unsafe {
        if (*node).type_ != NodeTag::T_FuncExpr {
            return None;
        }
        let call = &*node.cast::<pg_sys::FuncExpr>();
        if own_function::of(call.funcid) != Some(Own::Requires) {
            return None;
        }
        let argument = list::nodes(call.args).next().filter(|argument| (**argument).type_ == NodeTag::T_Const)?;
        let constant = &*argument.cast::<pg_sys::Const>();
        let is_text = constant.consttype == pg_sys::TEXTOID && !constant.constisnull;
        is_text.then(|| text::owned(pg_sys::text_to_cstring(constant.constvalue.cast_mut_ptr())))
    }
}

/// A call of one of our functions with a column as its only argument.
///
/// # Safety
/// `node` is a valid node.
unsafe fn call_on_column(node: *mut Node) -> Option<(Own, *const pg_sys::Var)> {
    // SAFETY: each cast follows a check of the node's tag.
    unsafe {
        if (*node).type_ != NodeTag::T_FuncExpr {
            return None;
        }
        let call = &*node.cast::<pg_sys::FuncExpr>();
        let own = own_function::of(call.funcid)?;
        let mut args = list::nodes(call.args);
        let (Some(argument), None) = (args.next(), args.next()) else { return None };
        column(argument).map(|var| (own, var))
    }
}

/// A column, perhaps relabelled from varchar to text.
///
/// # Safety
/// `node` is a valid node.
unsafe fn column(node: *mut Node) -> Option<*const pg_sys::Var> {
    // SAFETY: the cast follows a check of the node's tag.
    unsafe {
        let node = under_label(node);
        ((*node).type_ == NodeTag::T_Var).then_some(node.cast())
    }
}

/// The two parts of what AND, or OR, puts together, where it is two.
///
/// # Safety
/// `node` is a valid node.
pub(super) unsafe fn pair(node: *mut Node, by: pg_sys::BoolExprType::Type) -> Option<(*mut Node, *mut Node)> {
    // SAFETY: the cast follows a check of the tag.
    unsafe {
        if (*node).type_ != NodeTag::T_BoolExpr || (*node.cast::<pg_sys::BoolExpr>()).boolop != by {
            return None;
        }
        let mut parts = list::nodes((*node.cast::<pg_sys::BoolExpr>()).args);
        let both = (parts.next()?, parts.next()?);
        parts.next().is_none().then_some(both)
    }
}
