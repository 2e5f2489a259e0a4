//! The trigger of `tenant.tenants` and of `tenant.shared`.

use crate::pg::function::{Args, Returned};
use crate::pg::report::Outcome;
use crate::pg::{invalidation, registry_row, versions};
use crate::sql_function;

sql_function!(pg_tenant_registry_changed, pg_finfo_pg_tenant_registry_changed, registry_changed);

fn registry_changed(args: Args) -> Outcome<Returned> {
    let Some(table) = args.trigger_table() else { return Ok(Returned::Void) };
    if registry_row::table() != Some(table) {
        invalidation::announce(table);
        return Ok(Returned::Void);
    }
    for id in args.trigger_texts(registry_row::ID) {
        versions::change(versions::slot(id.as_bytes()));
    }
    Ok(Returned::Void)
}
