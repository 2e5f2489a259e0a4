//! Which tenants exist, in which state.
//!
//! - [`limits`]: what an administrator has given a tenant.
//! - [`cache`]: what this backend remembers of the registry, each tenant until its version in shared memory changes.

mod cache;
mod limits;

pub use cache::{Admitted, init};
pub use limits::Limits;

use crate::gucs;
use crate::pg::report::{Outcome, Report};
use cache::Entry;
use pg_tenant_core::{Refusal, TenantId, TenantStatus};

/// Admits the tenant, or says why not: unknown (`TN002`), not active (`TN003`).
pub fn admit(id: &TenantId) -> Outcome<Admitted> {
    match cache::entry(id) {
        Entry::Known { status: TenantStatus::Active, limits } => Ok(Admitted { limits }),
        Entry::Known { status, .. } => Err(tenant_not_active(id, status.as_str())),
        Entry::UnknownStatus => Err(tenant_not_active(id, "in a state this version does not know")),
        Entry::Absent if gucs::require_registered() => Err(unknown_tenant(id)),
        Entry::Absent => Ok(Admitted { limits: Limits::NONE }),
    }
}

fn unknown_tenant(id: &TenantId) -> Report {
    Report::new(Refusal::UnknownTenant, format!("unknown tenant \"{id}\""))
        .detail("The registry tenant.tenants has no tenant with this id.")
        .hint(format!("An administrator registers it with select tenant.create('{id}')."))
}

fn tenant_not_active(id: &TenantId, status: &str) -> Report {
    Report::new(Refusal::TenantNotActive, format!("tenant \"{id}\" is not active"))
        .detail(format!("The tenant is {status}."))
        .hint(format!("An administrator resumes it with select tenant.resume('{id}')."))
}
