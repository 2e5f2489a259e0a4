//! Commands that redefine a table: inside a tenant's transaction none may redefine a protected one, and nobody may
//! weaken its protection.

use crate::context::current;
use crate::guard::{create, in_tenant, weakened};
use crate::gucs;
use crate::pg::command::Change;
use crate::pg::report::{Outcome, Report};
use crate::pg::{policy, relation, types};
use crate::policy::protection::{self, Gap, Protection};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

pub fn alter_table(table: Oid, changes: &[Change]) -> Outcome<()> {
    for change in changes {
        match *change {
            Change::Detach(part) => leaves(part)?,
            Change::NoInherit => leaves(table)?,
            Change::Inherit(parent) if current::is_set() && in_tenant::fence(parent).is_some() => {
                return Err(in_tenant::ddl_in_tenant(parent, "giving it a child"));
            }
            _ => {}
        }
    }
    if current::tenant().is_some() && in_tenant::concerns(table) {
        return Err(in_tenant::ddl_in_tenant(table, "ALTER TABLE"));
    }
    if !gucs::guards() {
        return Ok(());
    }
    weakened::note(table);
    let fences = protection::fences(table);
    if fences.is_empty() {
        return Ok(());
    }
    let is_tenant_column = |name: &str| {
        relation::column(table, name)
            .is_some_and(|column| fences.iter().any(|fence| fence.membership().is_none() && fence.column == column))
    };
    let may_be_null = fences.iter().all(|fence| fence.form == policy::Form::OrShared);
    for change in changes {
        let what = match change {
            Change::DisableRowSecurity => "disable its row-level security",
            Change::NoForceRowSecurity => "exempt its owner from row-level security",
            Change::DropColumn(column) if is_tenant_column(column) => "drop its tenant column",
            Change::AlterColumnType(column) if is_tenant_column(column) => "change the type of its tenant column",
            Change::DropNotNull(column) if !may_be_null && is_tenant_column(column) => "let its tenant column be null",
            _ => continue,
        };
        let refused = in_tenant::protection_guarded(table, what);
        return Err(match change {
            // PostgreSQL would refuse it too, because a policy uses the column.
            Change::AlterColumnType(column) => refused.hint(in_one_transaction(table, column)),
            _ => refused,
        });
    }
    Ok(())
}

/// A partition or child without a fence of its own cannot be read while it belongs to a protected table; detached, it
/// could be.
fn leaves(part: Oid) -> Outcome<()> {
    match protection::of(part) {
        Protection::Broken(Gap::UnderProtected(parent)) if gucs::guards() => {
            let name = relation::name(part);
            Err(Report::new(Refusal::ProtectionGuarded, format!("table {name} would be left without protection"))
                .detail("It holds rows of a protected table and has no tenant policy of its own.")
                .hint(format!("First: select tenant.protect({});", relation::literal(parent))))
        }
        _ => Ok(()),
    }
}

pub fn change_policy(table: Oid, name: &str) -> Outcome<()> {
    if in_tenant::fence(table).is_none() {
        return Ok(());
    }
    if current::tenant().is_some() {
        return Err(in_tenant::ddl_in_tenant(table, "changing a policy"));
    }
    if gucs::guards() && policy::is_fence(table, name) {
        return Err(in_tenant::protection_guarded(table, &format!("change its tenant policy \"{name}\"")));
    }
    Ok(())
}

pub fn define_on(table: Oid, what: &str) -> Outcome<()> {
    if current::tenant().is_some() && in_tenant::concerns(table) {
        return Err(in_tenant::ddl_in_tenant(table, what));
    }
    Ok(())
}

pub fn create_trigger(table: Oid) -> Outcome<()> {
    define_on(table, "CREATE TRIGGER")?;
    create::trigger(table)
}

/// A type or domain that columns of a protected table have: a new CHECK would run on the values of all tenants.
pub fn alter_type(changed: Oid, what: &str) -> Outcome<()> {
    if current::tenant().is_none() {
        return Ok(());
    }
    match types::tables_with(changed).into_iter().find(|&table| in_tenant::fence(table).is_some()) {
        Some(table) => Err(in_tenant::ddl_in_tenant(table, what)),
        None => Ok(()),
    }
}

/// How to change the type of the tenant column: in one transaction, so that no other session sees the table without
/// protection.
fn in_one_transaction(table: Oid, column: &str) -> String {
    let (name, literal) = (relation::name(table), relation::literal(table));
    let (column, as_literal) = (relation::identifier(column), relation::quoted(column));
    format!(
        "In one transaction: select tenant.unprotect({literal}, '<reason>'); alter table {name} alter column {column} type ...; \
         select tenant.protect({literal}, {as_literal});"
    )
}
