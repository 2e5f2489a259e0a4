//! A tenant's secret by the name of its setting.

use secrecy::SecretString;

use super::keep::Secrets;
use crate::error::Error;
use crate::tx::builder::TenantHandle;

/// The tenant too: a token may name it.
pub(crate) const REFERENCE: &str = "select tenant.current_id(), tenant.secret_reference($1)";

impl TenantHandle {
    /// The tenant's secret: reads the reference that the setting holds, which must be declared secret, and resolves it
    /// once the connection is back in the pool. `None` where neither the tenant nor its plan has one, and there is no
    /// default.
    ///
    /// # Errors
    /// As every call of this type; `TN150` for a setting that is not declared, `TN152` for one that is not declared
    /// secret; those of [`Secrets::resolve`].
    pub async fn secret(&self, secrets: &Secrets, name: &str) -> Result<Option<SecretString>, Error> {
        let row = self.query_one(REFERENCE, &[&name]).await?;
        let reference: Option<String> = row.try_get(1)?;
        let Some(reference) = reference else { return Ok(None) };
        let tenant = row.try_get::<_, &str>(0)?.parse().map_err(Error::malformed)?;
        secrets.resolve(&tenant, &reference).await.map(Some)
    }
}
