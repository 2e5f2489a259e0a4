//! One value in the wire's form.

use std::error::Error as StdError;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, WrongType, to_sql_checked};

use crate::error::{Error, Kind as ErrorKind};
use crate::tx::bulk::row::BulkRow;

pub(super) type Encoded<T> = Result<T, Box<dyn StdError + Sync + Send>>;

/// A domain's values travel as its base type's; assigning checks them.
pub(super) fn base(ty: &Type) -> &Type {
    match ty.kind() {
        Kind::Domain(of) => base(of),
        _ => ty,
    }
}

/// Writes a value of this type. A label of an enum may be a text: on the wire it is one.
pub(super) fn encode(value: &dyn ToSql, ty: &Type, out: &mut BytesMut) -> Encoded<IsNull> {
    match value.to_sql_checked(ty, out) {
        Err(error) if error.is::<WrongType>() && matches!(ty.kind(), Kind::Enum(_)) => {
            // Nothing was written, and who is told of a type is told of the column's.
            value.to_sql_checked(&Type::TEXT, out).map_err(|_| error)
        }
        encoded => encoded,
    }
}

/// The values of a row, the `at`th of all, each to `write` with its column's place.
pub(super) fn each_value(
    row: &impl BulkRow,
    at: u64,
    columns: &[impl AsRef<str>],
    mut write: impl FnMut(usize, &dyn ToSql) -> Encoded<()>,
) -> Result<(), Error> {
    if row.width() != columns.len() {
        let (has, named) = (row.width(), columns.len());
        let message = format!("row {at} has {has} values where {named} columns are named");
        return Err(Error::new(ErrorKind::Driver, message));
    }
    for (i, column) in columns.iter().enumerate() {
        let value = row.value(i).ok_or_else(|| "the row has no such value".into());
        value.and_then(|value| write(i, value)).map_err(|error| {
            let message = format!("row {at}, column {}: {error}", column.as_ref());
            Error::new(ErrorKind::Driver, message).with_source(error)
        })?;
    }
    Ok(())
}

/// A value that is encoded already.
#[derive(Debug)]
pub(super) struct Value {
    ty: Type,
    format: Format,
    /// `None` is NULL.
    bytes: Option<BytesMut>,
}

impl Value {
    pub(super) fn new(value: &dyn ToSql, ty: &Type) -> Encoded<Value> {
        let mut bytes = BytesMut::new();
        let null = encode(value, ty, &mut bytes)?;
        let bytes = matches!(null, IsNull::No).then_some(bytes);
        Ok(Value { ty: ty.clone(), format: value.encode_format(ty), bytes })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.as_ref().map_or(0, BytesMut::len)
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Encoded<IsNull> {
        if *base(ty) != self.ty {
            return Err(format!("the column is not of the type {} any more", self.ty).into());
        }
        let Some(bytes) = &self.bytes else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        self.format
    }

    to_sql_checked!();
}
