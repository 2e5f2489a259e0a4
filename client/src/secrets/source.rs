//! Where secrets come from.

use std::pin::Pin;

use pg_tenant_core::TenantId;
use secrecy::SecretString;

use crate::error::{Error, Kind};

/// Where the secrets of one kind of reference are: `vault:…` in a vault. Implement it for your own.
pub trait SecretSource: Send + Sync + 'static {
    /// The secret that `place`, what stands behind the colon, is to this tenant.
    ///
    /// `place` may be the tenant's own word: give it nothing of another tenant's, and nothing of the program's.
    ///
    /// # Errors
    /// [`SecretSource`]s of this crate fail with an [`Error`] that has no SQLSTATE, whose message does not show the
    /// secret. Errors are not cached.
    fn resolve<'a>(&'a self, tenant: &'a TenantId, place: &'a str) -> SecretFuture<'a>;
}

/// The secret, once it was read. It is overwritten in memory when it is dropped.
pub type SecretFuture<'a> = Pin<Box<dyn Future<Output = Result<SecretString, Error>> + Send + 'a>>;

impl Error {
    /// The reference does not lead to a secret.
    pub(crate) fn no_secret(tenant: &TenantId, reference: &str, why: impl Into<String>) -> Error {
        let shown: String = reference.chars().take(80).collect();
        Error::new(Kind::Config, format!("the secret \"{}\" of tenant {tenant} is not there", shown.escape_debug()))
            .with_detail(why)
            .with_hint("correct the reference in the tenant's setting, or put the secret where it leads")
    }
}
