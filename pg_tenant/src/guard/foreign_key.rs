//! Foreign keys that would run the code of whoever makes them with the rights, or in the transactions, of others.
//! PostgreSQL checks a key with the rights of the owner of the referenced table, including casts and operators, and
//! fires triggers of the referencing table in the transaction that changes the referenced one.

use crate::guard::in_tenant;
use crate::gucs;
use crate::pg::foreign_key::{self, ForeignKey};
use crate::pg::oids;
use crate::pg::policy::Form;
use crate::pg::report::{Outcome, Report};
use crate::pg::{registry_row, relation, role};
use crate::policy::protection;
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

/// Judges a constraint that was made or changed a moment ago and has not been checked yet.
pub fn judge(constraint: Oid) -> Outcome<()> {
    let Some(key) = foreign_key::read(constraint) else { return Ok(()) };
    // A foreign key puts triggers on the referenced table, and checking it shows which keys exist there.
    if in_tenant::here() && in_tenant::concerns(key.to) {
        return Err(in_tenant::ddl_in_tenant(key.to, "a foreign key that refers to it"));
    }
    if !gucs::guards() {
        return Ok(());
    }
    if registry_row::table() == Some(key.to) && key.types.iter().any(|&of| oids::is_of_users(of)) {
        return Err(foreign_key_refused(&key)
            .detail("A cast of one of its columns' types would run as the owner of the registry.")
            .hint("Give the column a type of PostgreSQL's own: text, uuid or bigint."));
    }
    if registry_row::table() == Some(key.to) && key.follows_updates && key.refers_to.contains(&registry_row::SLUG) {
        return Err(foreign_key_refused(&key)
            .detail("When a slug changes its triggers would run with the rights of whoever changes it.")
            .hint("Refer to id, uuid_id or bigint_id, which never change; or to the slug without ON UPDATE."));
    }
    // The referential action runs outside the policies: a row whose tenant column becomes null would be visible to all
    // tenants.
    if let Some(fence) =
        protection::fence(key.from).filter(|fence| fence.form == Form::OrShared && key.sets.contains(&fence.column))
    {
        let (name, column) = (relation::name(key.from), relation::column_name(key.from, fence.column));
        return Err(Report::new(
            Refusal::RowsPublished,
            format!("the foreign key would make rows of table {name} every tenant's"),
        )
        .detail(format!("Where the row it refers to goes or changes, it sets tenant column \"{column}\" to null, outside of the policies."))
        .hint("Use on delete cascade or no action; with several columns: on delete set null (<those without the tenant>)."));
    }
    // A partition's share has the types of the key above, which the other table's owner has let in, and its owner owns
    // that as well.
    if protection::fence(key.to).is_some() && !key.inherited && !role::owns(role::current_user(), key.to) {
        return Err(foreign_key_refused(&key)
            .detail("Its casts would run as that table's owner, and its triggers in every tenant's transactions.")
            .hint("The owner of the table referred to makes it."));
    }
    Ok(())
}

fn foreign_key_refused(key: &ForeignKey) -> Report {
    let (from, to) = (relation::name(key.from), relation::name(key.to));
    Report::new(Refusal::ForeignKeyRefused, format!("cannot make a foreign key from table {from} to table {to}"))
}
