//! Data keys over sqlx.

use ::sqlx::Row;
use ::sqlx::postgres::PgRow;
use pg_tenant_core::TenantId;

use super::tenant_tx::TenantTx;
use crate::error::Error;
use crate::keys::{ADD, OpenKeys, STORED, Stored, StoredKey, TenantKeys};

impl TenantKeys {
    /// As [`enter`](TenantKeys::enter), in a transaction over sqlx.
    ///
    /// # Errors
    /// Those of [`enter`](TenantKeys::enter).
    pub async fn enter_sqlx(&self, tx: &mut TenantTx, purpose: &str) -> Result<OpenKeys, Error> {
        self.enter_stored(tx, purpose).await
    }
}

impl Stored for TenantTx {
    async fn tenant(&mut self) -> Result<TenantId, Error> {
        Ok(*self.tenant_id())
    }

    async fn stored(&mut self, purpose: &str) -> Result<Vec<StoredKey>, Error> {
        let rows = ::sqlx::query(STORED).bind(purpose.to_owned()).fetch_all(&mut *self).await?;
        let key = |row: &PgRow| {
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
        let query = ::sqlx::query(ADD).bind(purpose.to_owned()).bind(version).bind(wrapped.to_vec());
        Ok(query.fetch_one(&mut *self).await?.try_get(0)?)
    }
}
