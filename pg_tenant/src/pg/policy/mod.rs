//! Reading policies from the catalog and recognising the tenant fence among them.
//!
//! A fence is a restrictive policy FOR ALL TO PUBLIC whose USING (and WITH CHECK, if it has one) is exactly `column =
//! tenant.current_…() and tenant.is_current(column)`. The equality is for the planner, which may remove it from a plan;
//! the function decides. In 0.1.0 the fence was the equality alone: this form is still recognised, so that it is
//! guarded and can be mended. Functions are recognised by the address of their code ([`crate::pg::own_function`]).
//!
//! A table with shared rows (its tenant column is null, and every tenant may read them) has the USING `(column =
//! tenant.current_…() or column is null) and tenant.is_current_or_shared(column)` and the WITH CHECK above. Two more
//! restrictive policies TO PUBLIC, FOR UPDATE and FOR DELETE, have the condition above as USING, since PostgreSQL
//! applies WITH CHECK to the new row only.

mod condition;
mod expression;
mod fence;
mod row;

use crate::pg::oids;
pub use expression::{is_current, is_current_or_shared, tenant_equality, tenant_equality_or_null};
pub use fence::{Fence, Form, Reader};
use pgrx::pg_sys::Oid;
use row::{Command, Part, parts};
pub use row::{Requirement, condition_form, fence_conditions, former_column, has_any, requirements, table_of};

/// The catalog `pg_policy`.
pub const POLICY: Oid = oids::PolicyRelationId;

/// The fence of this table that `tenant.protect` made, or another one, if it has any.
pub fn fence(relation: Oid) -> Option<Fence> {
    let fences = fences(relation);
    let alone = fences.len() == 1;
    let rank = |fence: &Fence| (fence.is_former(), fence.form == Form::Torn, !fence.ours, fence.policy.to_u32());
    let first = fences.into_iter().min_by_key(rank);
    first.map(|fence| Fence { alone, ..fence })
}

/// All fences of this table: whoever owns it may have added some. One that is torn only where there is no other.
pub fn fences(relation: Oid) -> Vec<Fence> {
    let parts = parts(relation);
    let for_all = parts.iter().filter(|part| part.command == Command::All);
    let (mut torn, whole): (Vec<_>, Vec<_>) =
        for_all.map(|part| part.fence(form(part, &parts))).partition(|fence| fence.form == Form::Torn);
    if !whole.is_empty() {
        return whole;
    }
    if torn.is_empty() {
        torn.extend(parts.first().map(|part| part.fence(Form::Torn)));
    }
    torn.truncate(1);
    torn
}

/// Every policy that protects the table: its fences, and what they are nothing without.
fn guarded(relation: Oid) -> Vec<(Part, Form)> {
    let parts = parts(relation);
    let forms: Vec<_> = parts.iter().map(|part| form(part, &parts)).collect();
    let shared: Vec<_> =
        parts.iter().filter(|part| part.said.form == Form::OrShared).map(|it| it.said.column).collect();
    let both = parts.into_iter().zip(forms);
    both.filter(|(part, _)| part.command == Command::All || shared.contains(&part.said.column)).collect()
}

/// As [`fences`], and the policies that they are nothing without: those that no command may take.
pub fn guarded_fences(relation: Oid) -> Vec<Fence> {
    guarded(relation).into_iter().map(|(part, form)| part.fence(form)).collect()
}

fn form(part: &Part, parts: &[Part]) -> Form {
    let of = |command| parts.iter().any(|it| it.command == command && it.said.column == part.said.column);
    match part.said.form {
        Form::OrShared if !(of(Command::Update) && of(Command::Delete)) => Form::Torn,
        form => form,
    }
}

/// Whether the table's policy of this name is a fence of it, or what one is nothing without.
pub fn is_fence(relation: Oid, policy: &str) -> bool {
    guarded(relation).iter().any(|(part, _)| part.name.as_deref() == Some(policy))
}

/// The fence that this policy is, or is a part of, and the table it is on.
pub fn fence_of(policy: Oid) -> Option<(Oid, Fence)> {
    let table = table_of(policy)?;
    guarded_fences(table).into_iter().find(|fence| fence.policy == policy).map(|fence| (table, fence))
}
