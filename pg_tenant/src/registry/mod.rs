//! Which tenants exist, in which state.
//!
//! - [`limits`]: what an administrator has given a tenant.
//! - [`definitions`]: what this backend remembers of the definitions of settings.
//! - [`entry`]: what the registry says of a tenant.
//! - [`cache`]: what this backend remembers of the registry, each tenant until its version in shared memory changes.
//! - [`impersonations`]: the grants by which support works in a tenant.
//! - [`rates`]: what all sessions of a tenant share.
//! - [`settings`]: what this backend remembers of tenants' settings.
//! - [`state`]: why a tenant that is registered is not entered.

mod cache;
mod definitions;
mod entry;
pub mod impersonations;
mod limits;
mod rates;
pub mod settings;
mod state;

pub use cache::{Admitted, Stamp, epoch, generation, heard, init, stamp};
pub use limits::Limits;

use crate::gucs;
use crate::pg::report::{Outcome, Report};
use crate::pg::role;
use entry::Entry;
use pg_tenant_core::gates::Given;
use pg_tenant_core::{Refusal, TenantId, TenantStatus};

/// Admits the tenant, or says why not: unknown (`TN002`), being set up (`TN130`), suspended (`TN003`), leaving
/// (`TN131`), purged (`TN132`).
pub fn admit(id: &TenantId) -> Outcome<Admitted> {
    match cache::entry(id) {
        Entry::Known { status: TenantStatus::Active, limits, given } => Ok(Admitted { limits, given }),
        Entry::Known { status: TenantStatus::ReadOnly, limits, given } => {
            Ok(Admitted { limits: Limits { read_only: true, ..limits }, given })
        }
        Entry::Known { status: TenantStatus::Provisioning | TenantStatus::Offboarding, limits, given }
            if is_administrator() =>
        {
            Ok(Admitted { limits, given })
        }
        Entry::Known { status, .. } => Err(state::refusal(id, status)),
        Entry::UnknownStatus => Err(state::refusal(id, TenantStatus::Unknown)),
        Entry::Absent if gucs::require_registered() => Err(unknown_tenant(id)),
        Entry::Absent => Ok(Admitted { limits: Limits::NONE, given: Given::default() }),
    }
}

/// Whether the login is one that manages tenants: not what a function or SET ROLE makes of it.
fn is_administrator() -> bool {
    let login = role::session_user();
    role::is_superuser(login) || role::by_name("tenant_admin").is_some_and(|admin| role::is_member(login, admin))
}

fn unknown_tenant(id: &TenantId) -> Report {
    Report::new(Refusal::UnknownTenant, format!("unknown tenant \"{id}\""))
        .detail("The registry tenant.tenants has no tenant with this id.")
        .hint(format!("An administrator registers it with select tenant.create('{id}')."))
}
