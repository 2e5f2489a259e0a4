//! The condition of a policy, where it is the tenant's and nothing else.

use super::expression::{is_current, is_current_or_shared, pair, tenant_equality, tenant_equality_or_null};
use super::{Form, Reader};
use crate::pg::membership::Member;
use pgrx::pg_sys::{self, Node};

/// What a fence says.
#[derive(Clone, Copy)]
pub(super) struct Condition {
    pub column: i16,
    pub reader: Reader,
    /// Any but Torn.
    pub form: Form,
}

impl Condition {
    pub fn membership(&self) -> Option<Member> {
        self.form.membership()
    }
}

/// Matches `column = reader()`, `is_current(column)` and both of one column, and the same for rows of nobody as well:
/// `is_current_or_shared(column)` and `column = reader() or column is null`.
///
/// # Safety
/// `node` is a valid node.
pub(super) unsafe fn tenant_condition(node: *mut Node) -> Option<Condition> {
    // SAFETY: the caller's node is whole; each cast follows a check of the tag.
    unsafe {
        if let Some((column, reader)) = equality(node) {
            return Some(Condition { column, reader, form: Form::Former });
        }
        if let Some(decided) = decides(node) {
            return Some(decided);
        }
        let both = pair(node, pg_sys::BoolExprType::AND_EXPR)?;
        let says = |(leads, function): (*mut Node, *mut Node)| {
            let decided = decides(function)?;
            let led = match decided.form {
                Form::OrShared => equality_or_null(leads),
                _ => equality(leads),
            };
            (led == Some((decided.column, decided.reader))).then_some(decided)
        };
        says(both).or_else(|| says((both.1, both.0)))
    }
}

/// Matches `is_current(column)` and `is_current_or_shared(column)` of a policy.
///
/// # Safety
/// `node` is a valid node.
unsafe fn decides(node: *mut Node) -> Option<Condition> {
    // SAFETY: the caller's promise.
    unsafe {
        let (form, (var, reader)) = match is_current(node) {
            Some(found) => (Form::Own, found),
            None => (Form::OrShared, is_current_or_shared(node)?),
        };
        Some(Condition { column: own_column(var)?, reader, form })
    }
}

/// Matches `column = reader() or column is null` of a policy.
///
/// # Safety
/// `node` is a valid node.
unsafe fn equality_or_null(node: *mut Node) -> Option<(i16, Reader)> {
    // SAFETY: the caller's promise.
    let either = unsafe { tenant_equality_or_null(node) }.filter(|either| either.exact)?;
    Some((own_column(either.column)?, either.reader))
}

/// Matches `column = reader()` of a policy.
///
/// # Safety
/// `node` is a valid node.
unsafe fn equality(node: *mut Node) -> Option<(i16, Reader)> {
    // SAFETY: the caller's promise.
    let equality = unsafe { tenant_equality(node) }.filter(|equality| equality.exact)?;
    Some((own_column(equality.column)?, equality.reader))
}

/// A column of the policy's own table.
fn own_column(var: *const pg_sys::Var) -> Option<i16> {
    // SAFETY: the callers matched a Var.
    let var = unsafe { &*var };
    (var.varlevelsup == 0 && var.varattno > 0).then_some(var.varattno)
}
