//! The keys of all tenants: fetched once, kept for a time, asked for by one at a time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use pg_tenant_core::TenantId;
use zeroize::Zeroizing;

use super::data_key::{self, DataKey};
use super::opened::{OpenKeys, Opened};
use super::service::KeyService;
use super::store::{Stored, StoredKey};
use crate::error::{Error, Kind};
use crate::tx::tenant_tx::TenantTx;

/// How many tenants' keys are kept, for each purpose.
const CAPACITY: u64 = 10_000;

/// The data keys of tenants, over a [`KeyService`]. See [`keys`](crate::keys). Cloning shares the cache.
#[derive(Clone)]
pub struct TenantKeys {
    pub(super) service: Arc<dyn KeyService>,
    pub(super) cache: Cache<(TenantId, String), OpenKeys>,
    pub(super) ttl: Duration,
}

impl TenantKeys {
    /// Keys are kept for five minutes: for so long the key service may be away, and for so long a key that was
    /// destroyed still opens in this process. See [`with_ttl`](Self::with_ttl).
    pub fn new(service: impl KeyService) -> TenantKeys {
        TenantKeys::with_ttl(service, Duration::from_secs(300))
    }

    /// As [`new`](Self::new), with another time for which keys are kept: the same in all processes, since after twice
    /// that a [new version](Self::rotate) is known to all of them.
    pub fn with_ttl(service: impl KeyService, ttl: Duration) -> TenantKeys {
        let cache = Cache::builder().max_capacity(CAPACITY).time_to_live(ttl).build();
        TenantKeys { service: Arc::new(service), cache, ttl }
    }

    /// The keys of the transaction's tenant for a purpose, such as `pii`; a first one is made where there is none, and
    /// kept if the transaction is committed. Where they are cached nothing is sent.
    ///
    /// # Errors
    /// Those of the statements; those of the key service, which have no SQLSTATE. `23514` for a purpose that is no
    /// name.
    pub async fn enter(&self, tx: &mut TenantTx, purpose: &str) -> Result<OpenKeys, Error> {
        self.enter_stored(tx, purpose).await
    }

    pub(crate) async fn enter_stored(&self, tx: &mut impl Stored, purpose: &str) -> Result<OpenKeys, Error> {
        let place = (tx.tenant().await?, purpose.to_owned());
        if let Some(kept) = self.cache.get(&place).await {
            return Ok(kept);
        }
        let stored = tx.stored(purpose).await?;
        if stored.is_empty() {
            // Not kept before it is committed: where the transaction is rolled back there is none.
            let bytes = data_key::random().ok_or_else(no_random)?;
            return self.added(tx, purpose, 1, bytes, Vec::new()).await;
        }
        if stored.iter().any(|key| key.uncommitted) {
            // Kept by this process beyond a rollback, it would seal what nobody opens again.
            return self.unwrapped(&place.0, purpose, stored).await;
        }
        let fetch = self.unwrapped(&place.0, purpose, stored);
        self.cache.try_get_with(place.clone(), fetch).await.map_err(|error: Arc<Error>| {
            // Whoever waited for the same fetch has the same error.
            Arc::try_unwrap(error).unwrap_or_else(|error| Error::key_service(&place.0, "unwrapped", format!("{error}")))
        })
    }

    /// Wraps and keeps one more version. Of two that do so at once both get the first's.
    pub(super) async fn added(
        &self,
        tx: &mut impl Stored,
        purpose: &str,
        version: i32,
        bytes: Zeroizing<Vec<u8>>,
        mut stored: Vec<StoredKey>,
    ) -> Result<OpenKeys, Error> {
        let tenant = tx.tenant().await?;
        let wrapped = self.service.wrap(&tenant, &bytes).await?;
        let wrapped = tx.add(purpose, version, &wrapped).await?;
        stored.insert(0, StoredKey { version, wrapped, age: 0.0, uncommitted: true });
        self.unwrapped(&tenant, purpose, stored).await
    }

    async fn unwrapped(&self, tenant: &TenantId, purpose: &str, stored: Vec<StoredKey>) -> Result<OpenKeys, Error> {
        let (mut keys, mut newest) = (Vec::new(), None);
        // One that another process may not have heard of opens, and does not seal yet.
        let known = stored.iter().position(|key| key.age >= 2.0 * self.ttl.as_secs_f64());
        let sealing = known.unwrap_or(stored.len().saturating_sub(1));
        for StoredKey { version, wrapped, .. } in stored {
            let bytes = self.service.unwrap(tenant, &wrapped).await?;
            let key = u32::try_from(version).ok().and_then(|version| DataKey::new(version, &bytes));
            keys.push(key.ok_or_else(|| Error::key_service(tenant, "unwrapped", "It is no data key."))?);
            newest.get_or_insert(bytes);
        }
        let bytes = newest.ok_or_else(|| Error::key_service(tenant, "found", "There is none."))?;
        Ok(OpenKeys(Arc::new(Opened { tenant: *tenant, purpose: purpose.to_owned(), keys, sealing, bytes })))
    }
}

pub(super) fn no_random() -> Error {
    Error::new(Kind::Driver, "the system gives no random numbers")
}

impl fmt::Debug for TenantKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantKeys").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::FileKeys;
    use super::*;

    #[test]
    fn it_is_bounded() {
        let keys = TenantKeys::new(FileKeys::new("/nowhere"));
        assert_eq!(keys.cache.policy().max_capacity(), Some(10_000));
    }
}
