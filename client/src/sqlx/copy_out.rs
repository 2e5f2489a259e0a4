//! COPY … TO STDOUT over sqlx.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::{BoxStream, Stream, StreamExt};

use super::builder::TenantHandle;
use super::danger::{SystemTx, SystemTxBuilder};
use super::generator::generator;
use super::lease::CallState;
use super::open_tx::{Handle, OpenTx};
use super::tenant_tx::TenantTx;
use crate::error::Error;
use crate::observe::Call;
use crate::pool::lease::Wire;
use crate::tx::copy_out::check;

type Pieces<'tx> = BoxStream<'tx, Result<Bytes, Error>>;

impl OpenTx {
    /// sqlx neither reads past what nobody has read, nor finds back after an error: until the end no call may follow.
    async fn copy_out(&mut self, sql: &str) -> Result<Pieces<'_>, Error> {
        check(sql)?;
        self.usable()?;
        let call = Call::statement(sql, self.whose());
        let (connection, state) = self.lease.parts();
        state.wire = Wire::Awaiting;
        match call.watch(connection.copy_out_raw(sql)).await {
            Ok(pieces) => Ok(CopyOut { pieces, state, call }.boxed()),
            Err(error) => {
                state.learn(&error);
                state.discard = true;
                let error = if let ::sqlx::Error::Protocol(_) = error {
                    Error::not_copied_out(error)
                } else {
                    Error::from(error)
                };
                call.failed(&error);
                Err(error)
            }
        }
    }

    /// The transaction ends with the stream.
    fn into_copy_out(mut self, sql: &str) -> Pieces<'static> {
        let sql = sql.to_owned();
        let run = generator(|slot| async move {
            let mut pieces = self.copy_out(&sql).await?;
            while let Some(piece) = pieces.try_next().await? {
                slot.put(piece).await;
            }
            drop(pieces);
            self.commit().await
        });
        run.boxed()
    }
}

/// Marks until the end of the stream.
struct CopyOut<'tx> {
    pieces: BoxStream<'tx, Result<Bytes, ::sqlx::Error>>,
    state: &'tx mut CallState,
    call: Call,
}

impl Stream for CopyOut<'_> {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let span = self.call.span().clone();
        let _inside = span.enter();
        Poll::Ready(match ready!(self.pieces.poll_next_unpin(cx)) {
            Some(Ok(piece)) => Some(Ok(piece)),
            Some(Err(error)) => {
                self.state.learn(&error);
                self.state.discard = true;
                let error = Error::from(error);
                self.call.failed(&error);
                Some(Err(error))
            }
            None => {
                self.state.wire = Wire::Quiet;
                None
            }
        })
    }
}

macro_rules! copies {
    ($handle:ty, $tx:ty) => {
        impl $tx {
            /// Runs a `COPY … TO STDOUT` and returns its bytes as they arrive, in the format that the statement says:
            /// text, CSV or binary. Of a protected table it copies the rows that a query would see.
            ///
            /// Read it to its end. If it is dropped before, the transaction refuses every further call
            /// ([`Error::is_interrupted`]), because sqlx does not skip the remaining data.
            ///
            /// # Errors
            /// The server's, from this call or from the stream; no call may follow then. `42601`, and nothing is sent,
            /// for a text that does not begin with `COPY`.
            pub async fn copy_out(&mut self, sql: &str) -> Result<BoxStream<'_, Result<Bytes, Error>>, Error> {
                self.open().copy_out(sql).await
            }
        }

        impl $handle {
            /// Runs a `COPY … TO STDOUT` in a transaction of its own and returns its bytes as they arrive.
            ///
            /// The stream holds a connection of the pool until it is dropped. It commits when everything was read; if
            /// it is dropped before, it rolls back and the copy is cancelled on the server.
            ///
            /// # Errors
            /// As every call of this type. Those of the statement, and of committing, come from the stream.
            pub async fn copy_out(&self, sql: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
                check(sql)?;
                Ok(self.begin().await?.into_open().into_copy_out(sql))
            }
        }
    };
}

copies!(TenantHandle, TenantTx);
copies!(SystemTxBuilder, SystemTx);
