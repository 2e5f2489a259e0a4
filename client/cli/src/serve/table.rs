//! Rows, as people see them: what a query gives, column by column.

use deadpool_postgres::Transaction;

use crate::live::{self, Fault, Rows};

/// How a column is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    /// A tenant's id, with a link to its page.
    Tenant,
    /// SQL.
    Code,
    /// A drawing: the points of a line.
    Spark,
    /// The number of a job that can be tried again.
    Retry,
}

pub type Column = (&'static str, Kind);

pub struct Table {
    pub caption: &'static str,
    pub columns: &'static [Column],
    pub rows: Rows,
    /// Said in place of a table without rows.
    pub empty: &'static str,
}

impl Table {
    /// Of a query with as many columns, each of them text.
    pub async fn of(
        tx: &Transaction<'_>,
        caption: &'static str,
        columns: &'static [Column],
        empty: &'static str,
        (sql, params): (&str, &[&str]),
    ) -> Result<Table, Fault> {
        Ok(Table { caption, columns, rows: live::text(tx, sql, params).await?, empty })
    }

    /// The cells of a row, each with its column.
    pub fn cells<'a>(&self, row: &'a [String]) -> impl Iterator<Item = (Column, &'a String)> + use<'a> {
        self.columns.iter().copied().zip(row)
    }
}

/// Whether this server has such a view, and whether the role may read it: what is not there is said, not an error.
pub async fn is_there(tx: &Transaction<'_>, view: &str) -> Result<bool, Fault> {
    let sql = "select coalesce(has_table_privilege(to_regclass($1::text), 'select'), false)::text";
    Ok(live::text(tx, sql, &[view]).await?.first().is_some_and(|row| row.first().is_some_and(|there| there == "true")))
}

/// What is said where statistics are missing.
pub const NO_STATISTICS: &str = "This server does not keep statistics of tenants, or the role of this page may not read \
    them (tenant_admin and tenant_reader may).";
