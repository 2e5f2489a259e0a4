//! Rows, turned into one array for each column, in the wire's binary form.

use std::error::Error as StdError;
use std::fmt;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::error::Error;
use crate::tx::bulk::row::BulkRow;
use crate::tx::bulk::value::{each_value, encode};

/// A chunk is closed by the row that reaches one of these.
const BYTES: usize = 1024 * 1024;
const ROWS: usize = 10_000;

/// A chunk of rows.
pub(crate) struct Columns {
    names: Vec<String>,
    columns: Vec<Column>,
    rows: usize,
}

struct Column {
    /// Of one value.
    ty: Type,
    nulls: bool,
    /// Each value with its length before it.
    values: BytesMut,
    rows: usize,
}

impl Columns {
    pub(crate) fn new(types: &[Type], names: &[&str]) -> Columns {
        let column = |ty: &Type| Column { ty: ty.clone(), nulls: false, values: BytesMut::new(), rows: 0 };
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Columns { names, columns: types.iter().map(column).collect(), rows: 0 }
    }

    /// Another chunk for the same columns.
    pub(crate) fn anew(&self) -> Columns {
        let types: Vec<_> = self.columns.iter().map(|column| column.ty.clone()).collect();
        Columns::new(&types, &self.names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows >= ROWS || self.columns.iter().map(|column| column.values.len()).sum::<usize>() >= BYTES
    }

    /// Adds a row, the `at`th of all.
    pub(crate) fn push(&mut self, row: &impl BulkRow, at: u64) -> Result<(), Error> {
        each_value(row, at, &self.names, |i, value| self.columns[i].push(value))?;
        self.rows += 1;
        Ok(())
    }

    /// The arrays, as parameters.
    pub(crate) fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.columns.iter().map(|column| column as _).collect()
    }
}

impl Column {
    fn push(&mut self, value: &dyn ToSql) -> Result<(), Box<dyn StdError + Sync + Send>> {
        if !matches!(value.encode_format(&self.ty), Format::Binary) {
            return Err("an array cannot hold a value that is sent as text".into());
        }
        let start = self.values.len();
        self.values.put_i32(-1);
        match encode(value, &self.ty, &mut self.values)? {
            IsNull::Yes => self.nulls = true,
            IsNull::No => {
                let length = i32::try_from(self.values.len() - start - 4)?;
                self.values[start..start + 4].copy_from_slice(&length.to_be_bytes());
            }
        }
        self.rows += 1;
        Ok(())
    }
}

/// One dimension, counted from 1.
impl ToSql for Column {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        if *ty.kind() != Kind::Array(self.ty.clone()) {
            return Err(format!("the column is not of the type {} any more", self.ty).into());
        }
        out.reserve(20 + self.values.len());
        out.put_i32(1);
        out.put_i32(i32::from(self.nulls));
        out.put_u32(self.ty.oid());
        out.put_i32(i32::try_from(self.rows)?);
        out.put_i32(1);
        out.put_slice(&self.values);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(ty.kind(), Kind::Array(_))
    }

    to_sql_checked!();
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Column").field("ty", &self.ty).field("rows", &self.rows).finish()
    }
}
