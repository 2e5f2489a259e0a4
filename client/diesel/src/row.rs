//! A row of the driver's, as diesel reads it.

use std::error::Error;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use diesel::pg::{Pg, PgValue, TypeOidLookup};
use diesel::row::{Field, PartialRow, Row as DieselRow, RowIndex, RowSealed};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

/// A row, with the types of its columns, which all rows of an answer share.
pub struct TenantRow {
    row: Row,
    types: Arc<[Oid]>,
}

/// A type by its number, the way diesel asks for it.
struct Oid(NonZeroU32);

impl TypeOidLookup for Oid {
    fn lookup(&self) -> NonZeroU32 {
        self.0
    }
}

impl TenantRow {
    pub(crate) fn all(rows: Vec<Row>) -> impl Iterator<Item = TenantRow> {
        // No column has the type 0.
        let oid = |of: &Type| Oid(NonZeroU32::new(of.oid()).unwrap_or(NonZeroU32::MAX));
        let types =
            rows.first().map(|row| row.columns().iter().map(|column| oid(column.type_())).collect::<Arc<[Oid]>>());
        rows.into_iter().map(move |row| TenantRow { row, types: types.clone().unwrap_or_default() })
    }
}

impl RowSealed for TenantRow {}

impl<'a> DieselRow<'a, Pg> for TenantRow {
    type Field<'f>
        = TenantField<'f>
    where
        'a: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.row.len()
    }

    fn get<'b, I>(&'b self, idx: I) -> Option<Self::Field<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        self.idx(idx).map(|at| TenantField { row: self, at })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self::InnerPartialRow> {
        PartialRow::new(self, range)
    }
}

impl RowIndex<usize> for TenantRow {
    fn idx(&self, idx: usize) -> Option<usize> {
        (idx < self.row.len()).then_some(idx)
    }
}

impl<'a> RowIndex<&'a str> for TenantRow {
    fn idx(&self, idx: &'a str) -> Option<usize> {
        self.row.columns().iter().position(|column| column.name() == idx)
    }
}

/// One value of a row.
pub struct TenantField<'a> {
    row: &'a TenantRow,
    at: usize,
}

impl<'a> Field<'a, Pg> for TenantField<'a> {
    fn field_name(&self) -> Option<&str> {
        Some(self.row.row.columns()[self.at].name())
    }

    fn value(&self) -> Option<PgValue<'_>> {
        let Bytes(bytes) = self.row.row.get(self.at);
        bytes.map(|bytes| PgValue::new(bytes, &self.row.types[self.at]))
    }
}

/// A value as the server sent it; diesel knows what it means.
struct Bytes<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Bytes(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Bytes(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
