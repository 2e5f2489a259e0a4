//! The trigger of `tenant.tenants`, of `tenant.plans`, of `tenant.setting_definitions`, of the tables of people and of
//! `tenant.shared`.

use crate::pg::function::{Args, Returned};
use crate::pg::report::Outcome;
use crate::pg::{impersonation_row, invalidation, people_rows, registry_row, versions};
use crate::sql_function;
use pgrx::pg_sys::Oid;

sql_function!(pg_tenant_registry_changed, pg_finfo_pg_tenant_registry_changed, registry_changed);

fn registry_changed(args: Args) -> Outcome<Returned> {
    let Some(table) = args.trigger_table() else { return Ok(Returned::Void) };
    let registry = registry_row::table();
    let [members, roles, permissions] = people_rows::tables();
    if members == Some(table) {
        change_quietly(args.trigger_texts(people_rows::TENANT), registry);
        return Ok(Returned::Void);
    }
    if impersonation_row::table() == Some(table) {
        // Each statement of a transaction that works by a grant looks at its tenant's version.
        change_quietly(args.trigger_texts(impersonation_row::TENANT), registry);
        return Ok(Returned::Void);
    }
    if registry != Some(table) {
        // A plan is in the entries of all tenants that have it, and so are the settings' defaults, and roles.
        let of_many = [registry_row::plans(), registry_row::definitions(), roles, permissions].contains(&Some(table));
        invalidation::announce(registry.filter(|_| of_many).unwrap_or(table));
        return Ok(Returned::Void);
    }
    for id in args.trigger_texts(registry_row::ID) {
        versions::change(versions::slot(id.as_bytes()));
    }
    Ok(Returned::Void)
}

/// Of these tenants something has changed that directories, which listen, need not look at. TRUNCATE names none of
/// them.
fn change_quietly(tenants: Vec<String>, registry: Option<Oid>) {
    if let Some(registry) = registry.filter(|_| tenants.is_empty()) {
        invalidation::announce(registry);
    }
    tenants.iter().for_each(|id| versions::change_quietly(versions::slot(id.as_bytes())));
}
