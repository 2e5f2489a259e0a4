//! Rows whose columns have types of which there is no array to be sent in, such as arrays: `INSERT … VALUES` with as
//! many rows as a statement has parameters for, several of them in one flight.

use std::iter::Peekable;

use tokio_postgres::types::{ToSql, Type};

use crate::error::Error;
use crate::tx::bulk::row::BulkRow;
use crate::tx::bulk::value::{Value, each_value};
use crate::tx::open_tx::OpenTx;
use crate::wire::step::{Step, Then};

/// How many rows a statement may have. Few sizes, so that few statements are prepared for whatever number of rows.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// A flight is closed by the row that reaches one of these; the first in statements of the largest size.
const STATEMENTS: usize = 8;
const BYTES: usize = 1024 * 1024;

/// `insert into … (…) values (…), (…)`, with any number of rows.
pub(super) struct Insert<'a> {
    /// Up to the rows.
    pub(super) into: &'a str,
    pub(super) columns: &'a [&'a str],
    /// Of the columns, none a domain.
    pub(super) types: &'a [Type],
}

impl Insert<'_> {
    fn largest(&self) -> usize {
        let most = usize::from(u16::MAX) / self.columns.len().max(1);
        SIZES.into_iter().find(|size| *size <= most).unwrap_or(1)
    }

    fn sql(&self, rows: usize) -> String {
        let width = self.columns.len();
        let row = |at: usize| {
            let values: Vec<_> = (1..=width).map(|n| format!("${}", at * width + n)).collect();
            format!("({})", values.join(", "))
        };
        format!("{} values {}", self.into, (0..rows).map(row).collect::<Vec<_>>().join(", "))
    }

    /// The statements for so many rows, by their sizes.
    fn sizes(&self, mut rows: usize) -> Vec<usize> {
        let mut sizes = Vec::new();
        while rows > 0 {
            let size = SIZES.into_iter().find(|size| *size <= rows.min(self.largest())).unwrap_or(1);
            sizes.push(size);
            rows -= size;
        }
        sizes
    }

    /// The next rows, as many as one flight takes.
    fn read<R: BulkRow>(
        &self,
        rows: &mut Peekable<impl Iterator<Item = R>>,
        read: &mut u64,
    ) -> Result<Vec<Value>, Error> {
        let (mut values, mut bytes) = (Vec::new(), 0);
        while values.len() < STATEMENTS * self.largest() * self.columns.len()
            && bytes < BYTES
            && let Some(row) = rows.next()
        {
            each_value(&row, *read, self.columns, |i, value| {
                let value = Value::new(value, &self.types[i])?;
                bytes += value.len();
                values.push(value);
                Ok(())
            })?;
            *read += 1;
        }
        Ok(values)
    }
}

impl OpenTx {
    pub(super) async fn insert_values<R: BulkRow>(
        &mut self,
        insert: &Insert<'_>,
        mut rows: Peekable<impl Iterator<Item = R>>,
        then: Then,
    ) -> Result<u64, Error> {
        let (mut read, mut written) = (0, 0);
        while rows.peek().is_some() {
            let values = match insert.read(&mut rows, &mut read) {
                Ok(values) => values,
                Err(error) => {
                    if written > 0 {
                        // The server does not know that anything failed, and has some of the rows.
                        self.health.fail_with(&error);
                    }
                    return Err(error);
                }
            };
            let then = if rows.peek().is_none() { then } else { Then::Stay };
            let params: Vec<_> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
            let sizes = insert.sizes(params.len() / insert.columns.len());
            let texts: Vec<_> = sizes.iter().map(|size| insert.sql(*size)).collect();
            let mut left = &params[..];
            let steps = texts.iter().zip(&sizes).map(|(sql, size)| {
                let (these, others) = left.split_at(size * insert.columns.len());
                left = others;
                Step::count(sql, these)
            });
            let steps: Vec<_> = steps.collect();
            let answers = self.send_all(&steps, then).await.map_err(|mut error| {
                // Which of the statements says nothing to who gave rows.
                error.0.statement = None;
                error
            })?;
            written += answers.iter().map(|answer| answer.affected).sum::<u64>();
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_sizes_make_any_number() {
        let insert = Insert { into: "insert into t (a, b)", columns: &["a", "b"], types: &[] };
        assert_eq!(insert.sizes(600), [256, 256, 64, 16, 4, 4]);
        assert_eq!(insert.sql(2), "insert into t (a, b) values ($1, $2), ($3, $4)");
        let wide = Insert { into: "", columns: &["a"; 1600], types: &[] };
        assert_eq!((wide.largest(), wide.sizes(17)), (16, vec![16, 1]));
    }
}
