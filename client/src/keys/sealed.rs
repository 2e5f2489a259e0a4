//! A column type of sealed values.

use std::fmt;
use std::marker::PhantomData;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

type Failed = Box<dyn std::error::Error + Sync + Send>;

/// A value of a `bytea` column that opens inside the tenant that has sealed it: `PTS1`, four bytes of the key's
/// version, twelve of a nonce, and AES-256-GCM's ciphertext and tag of the value as JSON.
///
/// It can be carried, compared and copied without a key; [`OpenKeys::open`](super::OpenKeys::open) opens it.
pub struct Sealed<T> {
    pub(super) bytes: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    /// From the bytes of a column; whether they open is seen then.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Sealed<T> {
        Sealed { bytes: bytes.into(), of: PhantomData }
    }

    /// As the column has it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Sealed::from_bytes(self.bytes.clone())
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Sealed<T> {}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.bytes.len())
    }
}

impl<T> ToSql for Sealed<T> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        self.bytes.as_slice().to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::BYTEA
    }

    tokio_postgres::types::to_sql_checked!();
}

impl<'a, T> FromSql<'a> for Sealed<T> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failed> {
        Ok(Sealed::from_bytes(<&[u8]>::from_sql(ty, raw)?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::BYTEA
    }
}

#[cfg(feature = "sqlx")]
mod over_sqlx {
    use ::sqlx::encode::IsNull;
    use ::sqlx::error::BoxDynError;
    use ::sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef};
    use ::sqlx::{Decode, Encode, Postgres, Type};

    use super::Sealed;

    impl<T> Type<Postgres> for Sealed<T> {
        fn type_info() -> PgTypeInfo {
            <[u8] as Type<Postgres>>::type_info()
        }
    }

    impl<T> Encode<'_, Postgres> for Sealed<T> {
        fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
            <&[u8] as Encode<'_, Postgres>>::encode_by_ref(&self.bytes.as_slice(), buffer)
        }
    }

    impl<'r, T> Decode<'r, Postgres> for Sealed<T> {
        fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
            Ok(Sealed::from_bytes(<&[u8] as Decode<'r, Postgres>>::decode(value)?))
        }
    }
}
