//! The trigger of `tenant.tenants`.

use crate::error::Outcome;
use crate::pg::function::{Args, Returned};
use crate::pg::invalidation;
use crate::sql_function;

sql_function!(pg_tenant_registry_changed, pg_finfo_pg_tenant_registry_changed, registry_changed);

fn registry_changed(args: Args) -> Outcome<Returned> {
    if let Some(table) = args.trigger_table() {
        invalidation::announce(table);
    }
    Ok(Returned::Void)
}
