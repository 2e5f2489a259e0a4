//! Rows as they come.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio_postgres::{Row, types::ToSql};

use crate::error::Error;
use crate::tx::builder::TenantHandle;
use crate::tx::open_tx::OpenTx;
use crate::tx::reading::{Reading, Within};
use crate::tx::tenant_tx::TenantTx;

/// The rows of [`TenantTx::query_stream`] and of [`TenantHandle::query_stream`].
#[must_use = "rows are read only while the stream is polled"]
pub struct RowStream<'tx>(Reading<'tx, tokio_postgres::RowStream>);

impl TenantTx {
    /// Runs a statement and returns its rows as they arrive, for results that are too large for memory.
    ///
    /// The stream may be dropped before its end: the next call then waits until the remaining rows have been read and
    /// thrown away.
    ///
    /// # Errors
    /// As [`query`](Self::query), from this call or from the stream.
    pub async fn query_stream(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>, Error> {
        self.open.query_stream(sql, params).await
    }
}

impl TenantHandle {
    /// Runs one statement in a transaction of its own and returns its rows as they come, for results too large to hold.
    ///
    /// ```no_run
    /// # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
    /// use futures_util::TryStreamExt;
    ///
    /// let mut rows = pool.tenant("acme").query_stream("select id, total from orders", &[]).await?;
    /// while let Some(row) = rows.try_next().await? {
    ///     println!("{}: {}", row.get::<_, i64>(0), row.get::<_, i64>(1));
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// The stream has a connection of the pool for as long as it lives. It commits when the last row was read, before
    /// it ends with `None`; dropped before that it rolls back, and the statement is cancelled on the server.
    ///
    /// # Errors
    /// As every call of this type, from this call or from the stream; those of committing
    /// ([`TenantTx::commit`]) as the stream's last item.
    pub async fn query_stream(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'static>, Error> {
        self.begin().await?.open.into_query_stream(sql, params).await
    }
}

impl OpenTx {
    pub(crate) async fn query_stream(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<RowStream<'_>, Error> {
        let (rows, call) = self.send_stream(sql, params).await?;
        Ok(RowStream(Reading::new(Within::Lent(self), rows, call)))
    }

    /// The transaction ends with the stream.
    pub(crate) async fn into_query_stream(
        mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<RowStream<'static>, Error> {
        let (rows, call) = self.send_stream(sql, params).await?;
        Ok(RowStream(Reading::new(Within::Own(Box::new(self)), rows, call)))
    }
}

impl Stream for RowStream<'_> {
    type Item = Result<Row, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl fmt::Debug for RowStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RowStream").field(&self.0).finish()
    }
}
