//! Rows as they come.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use tokio_postgres::{Row, types::ToSql};

use crate::error::Error;
use crate::observe::Call;
use crate::tx::open_tx::OpenTx;
use crate::tx::tenant_tx::TenantTx;

/// The rows of [`TenantTx::query_stream`].
#[must_use = "rows are read only while the stream is polled"]
pub struct RowStream<'tx> {
    tx: &'tx mut OpenTx,
    rows: Pin<Box<tokio_postgres::RowStream>>,
    reading: Reading,
}

/// Tells how many rows were read when that ends. Apart from the stream, which would borrow the transaction for longer
/// if it did something itself when it is dropped.
struct Reading {
    call: Call,
    rows: u64,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.call.rows(self.rows);
    }
}

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

impl OpenTx {
    pub(crate) async fn query_stream(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<RowStream<'_>, Error> {
        let (rows, call) = self.send_stream(sql, params).await?;
        Ok(RowStream { tx: self, rows: Box::pin(rows), reading: Reading { call, rows: 0 } })
    }
}

impl Stream for RowStream<'_> {
    type Item = Result<Row, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let span = self.reading.call.span().clone();
        let _inside = span.enter();
        Poll::Ready(match ready!(self.rows.as_mut().poll_next(cx)) {
            Some(Ok(row)) => {
                self.reading.rows += 1;
                Some(Ok(row))
            }
            Some(Err(error)) => {
                self.tx.lease.finish_call(true);
                let error = self.tx.record_error(error.into());
                self.reading.call.failed(&error);
                Some(Err(error))
            }
            None => {
                self.tx.lease.finish_call(true);
                None
            }
        })
    }
}

impl fmt::Debug for RowStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream").field("tx", &self.tx).finish()
    }
}
