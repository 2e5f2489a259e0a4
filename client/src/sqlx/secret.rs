//! A tenant's secret by the name of its setting.

use ::sqlx::Row;

use super::builder::TenantHandle;
use crate::error::Error;
use crate::secrets::{REFERENCE, SecretString, Secrets};

impl TenantHandle {
    /// As [`secret`](crate::TenantHandle::secret) over tokio-postgres: the tenant's secret by the name of a setting
    /// that is declared secret, resolved once the connection is back in the pool.
    ///
    /// # Errors
    /// Those of [`secret`](crate::TenantHandle::secret).
    pub async fn secret(&self, secrets: &Secrets, name: &str) -> Result<Option<SecretString>, Error> {
        let row = self.query_one(::sqlx::query(REFERENCE).bind(name)).await?;
        let reference: Option<String> = row.try_get(1)?;
        let Some(reference) = reference else { return Ok(None) };
        let tenant = row.try_get::<&str, _>(0)?.parse().map_err(Error::malformed)?;
        secrets.resolve(&tenant, &reference).await.map(Some)
    }
}
