//! Settings of the transaction's tenant, out of what this backend remembers of it.

use crate::context::current;
use crate::pg::asking::{self, Step};
use crate::pg::function::Returned;
use crate::pg::proc;
use crate::pg::report::{Outcome, Report};
use crate::registry;
use crate::registry::settings::{self, Value};
use pg_tenant_core::{Refusal, TenantId};

/// Reads a setting, or says what is to be asked for it.
///
/// Refuses (`TN001`) with no tenant, and (`TN150`) a setting that was not declared.
pub fn recall(name: &str, read: fn(&Value) -> Outcome<Returned>) -> Outcome<Step> {
    let tenant = tenant()?;
    Ok(match settings::recall(&tenant, name, read)? {
        Some(returned) => Step::Answer(returned),
        None => Step::Ask(proc::of_text("settings_of"), asking::argument(tenant.as_str())),
    })
}

/// Takes what was told, all settings of the tenant as JSON, and reads one of them.
pub fn take(name: &str, told: Option<&str>, latest: bool, read: fn(&Value) -> Outcome<Returned>) -> Outcome<Returned> {
    settings::take(&tenant()?, name, told, latest, read)
}

/// The generation of the transaction's tenant; none with no tenant.
pub fn generation() -> Option<u64> {
    current::tenant().map(|id| registry::generation(&id))
}

fn tenant() -> Outcome<TenantId> {
    current::tenant().ok_or_else(|| {
        Report::new(Refusal::NoTenant, "no tenant: settings are a tenant's")
            .detail("The transaction has not entered a tenant.")
            .hint("Enter one first: select tenant.enter('<id>');")
    })
}
