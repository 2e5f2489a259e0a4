//! Where wrapped data keys stand: `tenant.data_keys`, inside the tenant's transaction.

use pg_tenant_core::TenantId;

use crate::error::Error;
use crate::tx::tenant_tx::TenantTx;

/// `$1` the purpose: version and wrapped key, the newest first.
pub(crate) const STORED: &str = "select version, wrapped from tenant.data_keys_for($1::text)";
/// `$1` the purpose, `$2` the version, `$3` the wrapped key: the one that is kept.
pub(crate) const ADD: &str = "select tenant.add_data_key($1::text, $2::int, $3::bytea)";

/// Whose transaction it is, where its token alone says so.
const CURRENT: &str = "select tenant.current_id()";

/// A transaction of either driver, as far as data keys are concerned.
pub(crate) trait Stored {
    fn tenant(&mut self) -> impl Future<Output = Result<TenantId, Error>> + Send;
    fn stored(&mut self, purpose: &str) -> impl Future<Output = Result<Vec<(i32, Vec<u8>)>, Error>> + Send;
    fn add(
        &mut self,
        purpose: &str,
        version: i32,
        wrapped: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>, Error>> + Send;
}

impl Stored for TenantTx {
    async fn tenant(&mut self) -> Result<TenantId, Error> {
        if let Some(tenant) = self.tenant_id() {
            return Ok(*tenant);
        }
        self.query_one(CURRENT, &[]).await?.try_get::<_, &str>(0)?.parse().map_err(Error::malformed)
    }

    async fn stored(&mut self, purpose: &str) -> Result<Vec<(i32, Vec<u8>)>, Error> {
        let rows = self.query(STORED, &[&purpose]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    async fn add(&mut self, purpose: &str, version: i32, wrapped: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.query_one(ADD, &[&purpose, &version, &wrapped]).await?.try_get(0)?)
    }
}
