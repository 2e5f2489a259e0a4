//! The account in the pool that a connection is counted against.

use std::fmt;

use pg_tenant_core::TenantId;

/// The account in the pool that a connection is counted against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Share {
    /// The tenant that the application named, or that the server found in this same token before.
    Tenant(TenantId),
    /// Tokens that the server has not accepted yet. What such a token says is only a claim, with which a caller could
    /// use up another tenant's share, so all of these calls share one account.
    Unnamed,
    /// No tenant: checks of the pool, the system context.
    NoTenant,
    /// The registry, asked which tenant a request is for: apart from the system context, so that what runs there for
    /// long does not put it behind every tenant that has less.
    Registry,
}

impl Share {
    pub(crate) fn tenant(&self) -> Option<&TenantId> {
        match self {
            Share::Tenant(id) => Some(id),
            Share::Unnamed | Share::NoTenant | Share::Registry => None,
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::Tenant(id) => write!(f, "tenant {id}"),
            Share::Unnamed => f.write_str("the calls whose token the server has not accepted yet"),
            Share::NoTenant => f.write_str("the calls without a tenant"),
            Share::Registry => f.write_str("the calls that ask the registry"),
        }
    }
}
