//! What is compared: ways to read some points as one tenant.

use futures_util::future::BoxFuture;

/// A row. All peers must return the same ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) id: i64,
    pub(crate) amount: i64,
    pub(crate) note: String,
}

/// One way to read, over a pool of its own.
pub(crate) trait Peer: Send + Sync {
    /// Reads a point for each key, one statement each, in that order.
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>>;
}

/// On the protected table: the policy adds the tenant.
pub(crate) const PROTECTED: &str = "select id, amount, note from points where id = $1";
/// On the table with a stock policy, which adds the tenant that `set_config` named.
pub(crate) const STOCK: &str = "select id, amount, note from stock.points where id = $1";
/// On the table without policies.
pub(crate) const BARE: &str = "select id, amount, note from bare.points where tenant_id = $1 and id = $2";

impl TryFrom<tokio_postgres::Row> for Point {
    type Error = tokio_postgres::Error;

    fn try_from(row: tokio_postgres::Row) -> Result<Point, tokio_postgres::Error> {
        Ok(Point { id: row.try_get(0)?, amount: row.try_get(1)?, note: row.try_get(2)? })
    }
}

impl TryFrom<sqlx::postgres::PgRow> for Point {
    type Error = sqlx::Error;

    fn try_from(row: sqlx::postgres::PgRow) -> Result<Point, sqlx::Error> {
        use sqlx::Row;
        Ok(Point { id: row.try_get(0)?, amount: row.try_get(1)?, note: row.try_get(2)? })
    }
}
