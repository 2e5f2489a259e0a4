//! Who holds the tenants' keys.

use std::pin::Pin;

use pg_tenant_core::TenantId;
pub use zeroize::Zeroizing;

use crate::error::{Error, Kind};

/// Holds a key of each tenant, and never gives it out: it wraps and unwraps data keys, a few bytes each.
///
/// A wrapped key of one tenant must not unwrap for another one.
pub trait KeyService: Send + Sync + 'static {
    /// Encrypts a data key by the tenant's key, which is made where there is none.
    ///
    /// # Errors
    /// Any [`Error`]; [`KeyService`]s of this crate fail with one that has no SQLSTATE and shows no key.
    fn wrap<'a>(&'a self, tenant: &'a TenantId, key: &'a [u8]) -> KeyFuture<'a, Vec<u8>>;

    /// Decrypts what [`wrap`](Self::wrap) has returned for this tenant.
    ///
    /// # Errors
    /// As [`wrap`](Self::wrap); also where the tenant's key was destroyed, or the wrapped one is another tenant's.
    fn unwrap<'a>(&'a self, tenant: &'a TenantId, wrapped: &'a [u8]) -> KeyFuture<'a, Zeroizing<Vec<u8>>>;

    /// Destroys the tenant's key, for good: done again, it does nothing.
    ///
    /// # Errors
    /// As [`wrap`](Self::wrap): then nobody knows whether it was destroyed, and it is done again.
    fn destroy<'a>(&'a self, tenant: &'a TenantId) -> KeyFuture<'a, ()>;
}

/// What a key service answers.
pub type KeyFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

impl Error {
    /// The key service has not done what it was asked for.
    pub(crate) fn key_service(tenant: &TenantId, what: &str, why: impl Into<String>) -> Error {
        Error::new(Kind::Config, format!("a key of tenant {tenant} could not be {what}"))
            .with_detail(why)
            .with_hint("see whether the key service can be reached and has a key of this tenant")
    }

    /// A value does not open.
    pub(crate) fn does_not_open(tenant: &TenantId, column: &super::Column, why: impl Into<String>) -> Error {
        let super::Column { table, column } = column;
        Error::new(Kind::Config, format!("a value of {table}.{column} does not open in tenant {tenant}"))
            .with_detail(why)
            .with_hint("it was sealed by another tenant, for another column or purpose, or was changed")
    }
}
