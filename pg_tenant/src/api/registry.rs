//! The trigger of `tenant.tenants`, of `tenant.plans`, of `tenant.setting_definitions`, of the tables of people and of
//! `tenant.shared`.

use crate::pg::function::{Args, Returned};
use crate::pg::report::Outcome;
use crate::pg::{invalidation, people_rows, registry_row, versions};
use crate::sql_function;

sql_function!(pg_tenant_registry_changed, pg_finfo_pg_tenant_registry_changed, registry_changed);

fn registry_changed(args: Args) -> Outcome<Returned> {
    let Some(table) = args.trigger_table() else { return Ok(Returned::Void) };
    let registry = registry_row::table();
    let [members, roles, permissions] = people_rows::tables();
    if members == Some(table) {
        let tenants = args.trigger_texts(people_rows::TENANT);
        // TRUNCATE names no rows.
        if let Some(registry) = registry.filter(|_| tenants.is_empty()) {
            invalidation::announce(registry);
        }
        // Directories of tenants that listen need not look again.
        tenants.iter().for_each(|id| versions::change_quietly(versions::slot(id.as_bytes())));
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
