//! The keys of one tenant for one purpose: they seal and open without asking anybody.

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use pg_tenant_core::TenantId;
use ring::hmac;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::types::{IsNull, ToSql, Type};
use zeroize::Zeroizing;

use super::column::Column;
use super::data_key::{DataKey, HEADER, MAGIC, aad, index_key};
use super::sealed::Sealed;
use crate::error::{Error, Kind};

/// What [`TenantKeys::enter`](super::TenantKeys::enter) returns: the keys of the transaction's tenant for a purpose.
/// It seals and opens values of that tenant alone, also when the transaction has ended: keep it no longer than that.
/// Cloning shares the keys. The bytes that the key service has given are overwritten in memory when the last is dropped
/// and the cache has let go of them; what `ring` has made of them is not.
#[derive(Clone)]
pub struct OpenKeys(pub(super) Arc<Opened>);

pub(super) struct Opened {
    pub(super) tenant: TenantId,
    pub(super) purpose: String,
    /// The newest first.
    pub(super) keys: Vec<DataKey>,
    /// Which of them seals: the newest that every process has heard of.
    pub(super) sealing: usize,
    /// Of the newest; its index key is every version's.
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// What stands in a column beside a sealed one, to find equal values of the same tenant.
///
/// Who reads the table sees which rows of a tenant have the same value, and nothing else; for values of which there are
/// few (a gender, a country) that tells them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BlindIndex([u8; 32]);

impl OpenKeys {
    /// Whose keys these are.
    pub fn tenant_id(&self) -> &TenantId {
        &self.0.tenant
    }

    /// The version by which it seals.
    pub fn version(&self) -> u32 {
        self.sealing().map_or(0, |key| key.version)
    }

    /// Seals a value for this column. One key seals at most 2^32 values: rotate it before
    /// ([`TenantKeys::rotate`](super::TenantKeys::rotate)).
    ///
    /// # Errors
    /// The value cannot be written as JSON, or the system gives no random numbers.
    pub fn seal<T>(&self, column: &Column, value: &T) -> Result<Sealed<T::Owned>, Error>
    where
        T: Serialize + ToOwned + ?Sized,
    {
        let plain = serde_json::to_vec(value);
        let plain = Zeroizing::new(plain.map_err(|why| not_sealed(&format!("It cannot be written as JSON: {why}.")))?);
        self.seal_bytes(column, &plain)
    }

    fn sealing(&self) -> Option<&DataKey> {
        self.0.keys.get(self.0.sealing)
    }

    pub(super) fn seal_bytes<T>(&self, column: &Column, plain: &[u8]) -> Result<Sealed<T>, Error> {
        let key = self.sealing().ok_or_else(|| not_sealed("There is no key."))?;
        let sealed = key.seal(&aad(&self.0.tenant, &self.0.purpose, column), plain);
        sealed.map(Sealed::from_bytes).ok_or_else(|| not_sealed("The system gives no random numbers."))
    }

    /// Opens a value of this column.
    ///
    /// # Errors
    /// It was sealed by another tenant, for another column or purpose, by a key that is not there any more, or was
    /// changed; or it is of another type.
    pub fn open<T: DeserializeOwned>(&self, column: &Column, value: &Sealed<T>) -> Result<T, Error> {
        let plain = self.open_bytes(column, value)?;
        let other = |_| Error::does_not_open(&self.0.tenant, column, "What is in it is of another type.");
        serde_json::from_slice(&plain).map_err(other)
    }

    pub(super) fn open_bytes<T>(&self, column: &Column, value: &Sealed<T>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let refused = |why: &str| Error::does_not_open(&self.0.tenant, column, why);
        let bytes = value.as_bytes();
        if bytes.len() < HEADER || !bytes.starts_with(&MAGIC) {
            return Err(refused("It is no sealed value."));
        }
        let version = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let key = self.0.keys.iter().find(|key| key.version == version);
        let key = key.ok_or_else(|| refused(&format!("There is no version {version} of the key.")))?;
        let plain = key.open(&aad(&self.0.tenant, &self.0.purpose, column), bytes);
        plain.ok_or_else(|| refused("The key does not fit, or the value was changed."))
    }

    /// For `where column_index = $1`, over the value in the form in which equal ones are the same bytes. It stays the
    /// same when the key is rotated.
    pub fn blind_index(&self, column: &Column, value: &[u8]) -> BlindIndex {
        let tag = hmac::sign(&index_key(&self.0.bytes, column), value);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        BlindIndex(bytes)
    }
}

fn not_sealed(why: &str) -> Error {
    Error::new(Kind::Driver, "a value could not be sealed").with_detail(why)
}

impl fmt::Debug for OpenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Opened { tenant, purpose, .. } = &*self.0;
        f.debug_struct("OpenKeys").field("tenant", tenant).field("purpose", purpose).finish_non_exhaustive()
    }
}

impl BlindIndex {
    /// As the column has it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for BlindIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindIndex(..)")
    }
}

impl ToSql for BlindIndex {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.as_slice().to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::BYTEA
    }

    tokio_postgres::types::to_sql_checked!();
}

#[cfg(feature = "sqlx")]
mod over_sqlx {
    use ::sqlx::encode::IsNull;
    use ::sqlx::error::BoxDynError;
    use ::sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
    use ::sqlx::{Encode, Postgres, Type};

    use super::BlindIndex;

    impl Type<Postgres> for BlindIndex {
        fn type_info() -> PgTypeInfo {
            <[u8] as Type<Postgres>>::type_info()
        }
    }

    impl Encode<'_, Postgres> for BlindIndex {
        fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
            <&[u8] as Encode<'_, Postgres>>::encode_by_ref(&self.as_bytes(), buffer)
        }
    }
}
