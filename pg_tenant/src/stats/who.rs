//! Whom a transaction counts for.

use crate::context::current;
use crate::context::seal::{self, Entered};
use crate::gucs;
use crate::pg::statistics;
use pg_tenant_core::TenantId;
use pg_tenant_core::statistics::Key;

/// Whom a transaction counts for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Tenant(TenantId),
    System,
    Nobody,
}

impl Who {
    /// Of the transaction as it is: an entry that a savepoint has undone counts, and so does the tenant of a bound
    /// role.
    pub fn now() -> Who {
        match seal::sealed().or_else(current::entered) {
            Some(Entered::Tenant(id)) => Who::Tenant(id),
            Some(Entered::System(_)) => Who::System,
            None => Who::Nobody,
        }
    }

    pub fn key(&self) -> Key {
        let (kind, name) = match self {
            Who::Tenant(id) => (0, id.as_str().as_bytes()),
            Who::System => (1, &b""[..]),
            Who::Nobody => (2, &b""[..]),
        };
        statistics::key_here(kind, name)
    }
}

/// What each line of the log says of it, where `pg_tenant.log_tenant` is on.
pub(super) fn line() -> Option<String> {
    match Who::now() {
        _ if !gucs::log_tenant() => None,
        Who::Tenant(id) => Some(format!("tenant: {id}")),
        Who::System => Some("tenant: none, the system context".into()),
        Who::Nobody => None,
    }
}
