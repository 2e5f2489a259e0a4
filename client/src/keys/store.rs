//! Where wrapped data keys stand: `tenant.data_keys`, inside the tenant's transaction.

use pg_tenant_core::TenantId;
use tokio_postgres::Row;

use crate::error::Error;
use crate::tx::tenant_tx::TenantTx;

/// `$1` the purpose: version, wrapped key, for how many seconds it is there, and whether this transaction has added it,
/// the newest first.
pub(crate) const STORED: &str =
    "select version, wrapped, extract(epoch from age)::float8, uncommitted from tenant.data_keys_for($1::text)";
/// `$1` the purpose, `$2` the version, `$3` the wrapped key: the one that is kept.
pub(crate) const ADD: &str = "select tenant.add_data_key($1::text, $2::int, $3::bytea)";

/// Whose transaction it is, where its token alone says so.
const CURRENT: &str = "select tenant.current_id()";

/// A version of a data key, as it is stored.
#[derive(Clone)]
pub(crate) struct StoredKey {
    pub(crate) version: i32,
    pub(crate) wrapped: Vec<u8>,
    /// In seconds.
    pub(crate) age: f64,
    /// This transaction has added it, and may be rolled back.
    pub(crate) uncommitted: bool,
}

/// A transaction of either driver, as far as data keys are concerned.
pub(crate) trait Stored {
    fn tenant(&mut self) -> impl Future<Output = Result<TenantId, Error>> + Send;
    fn stored(&mut self, purpose: &str) -> impl Future<Output = Result<Vec<StoredKey>, Error>> + Send;
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

    async fn stored(&mut self, purpose: &str) -> Result<Vec<StoredKey>, Error> {
        let rows = self.query(STORED, &[&purpose]).await?;
        let key = |row: &Row| {
            Ok(StoredKey {
                version: row.try_get(0)?,
                wrapped: row.try_get(1)?,
                age: row.try_get(2)?,
                uncommitted: row.try_get(3)?,
            })
        };
        rows.iter().map(key).collect()
    }

    async fn add(&mut self, purpose: &str, version: i32, wrapped: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.query_one(ADD, &[&purpose, &version, &wrapped]).await?.try_get(0)?)
    }
}
