//! Rows as they come.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use tokio_postgres::Row;

use crate::error::Error;
use crate::tx::TenantTx;

/// The rows of [`TenantTx::query_stream`].
#[must_use = "rows are read only while the stream is polled"]
pub struct RowStream<'tx> {
    tx: &'tx mut TenantTx,
    rows: Pin<Box<tokio_postgres::RowStream>>,
}

impl<'tx> RowStream<'tx> {
    pub(crate) fn new(tx: &'tx mut TenantTx, rows: tokio_postgres::RowStream) -> RowStream<'tx> {
        RowStream { tx, rows: Box::pin(rows) }
    }
}

impl Stream for RowStream<'_> {
    type Item = Result<Row, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(self.rows.as_mut().poll_next(cx)) {
            Some(Ok(row)) => Some(Ok(row)),
            Some(Err(error)) => {
                self.tx.lease.arrive(true);
                Some(Err(self.tx.note(error.into())))
            }
            None => {
                self.tx.lease.arrive(true);
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
