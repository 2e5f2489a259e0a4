//! COPY … TO STDOUT.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;

use crate::error::{Error, Kind};
use crate::tx::builder::TenantHandle;
use crate::tx::open_tx::OpenTx;
use crate::tx::reading::{Reading, Within};
use crate::tx::tenant_tx::TenantTx;
use crate::wire::sql::first_word;

/// The stream of [`TenantTx::copy_out`] and [`TenantHandle::copy_out`]: pieces of the copy, mostly one row each, in the
/// format that the statement says. Joined, they are the file.
#[must_use = "it is read only while the stream is polled"]
pub struct CopyOutStream<'tx>(Reading<'tx, tokio_postgres::CopyOutStream>);

impl TenantTx {
    /// Runs a `COPY … TO STDOUT` and returns its bytes as they arrive, in the format that the statement says: text, CSV
    /// or binary. Of a protected table it copies the tenant's rows, like any query.
    ///
    /// The stream may be dropped before its end: the next call then waits until the remaining data has been read and
    /// thrown away.
    ///
    /// # Errors
    /// As [`query`](Self::query), from this call or from the stream. `42601`, and nothing is sent, for a text that does
    /// not begin with `COPY`. A COPY that is not to STDOUT fails the transaction.
    pub async fn copy_out(&mut self, sql: &str) -> Result<CopyOutStream<'_>, Error> {
        self.open.copy_out(sql).await
    }
}

impl TenantHandle {
    /// Runs a `COPY … TO STDOUT` in a transaction of its own and returns its bytes as they come: text, CSV or binary,
    /// as the statement says.
    ///
    /// ```no_run
    /// # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
    /// use futures_util::TryStreamExt;
    ///
    /// let orders = "copy orders (id, total) to stdout with (format csv, header)";
    /// let mut copy = pool.tenant("acme").copy_out(orders).await?;
    /// while let Some(bytes) = copy.try_next().await? {
    ///     print!("{}", String::from_utf8_lossy(&bytes));
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// The stream has a connection of the pool for as long as it lives. It commits when everything was read, before it
    /// ends with `None`; dropped before that it rolls back, and the copy is cancelled on the server.
    ///
    /// # Errors
    /// Those of [`TenantTx::copy_out`] and of every call of this type; those of committing as the stream's last item.
    pub async fn copy_out(&self, sql: &str) -> Result<CopyOutStream<'static>, Error> {
        self.begin().await?.open.into_copy_out(sql).await
    }
}

impl OpenTx {
    pub(crate) async fn copy_out(&mut self, sql: &str) -> Result<CopyOutStream<'_>, Error> {
        check(sql)?;
        let (bytes, call) = self.send_copy_out(sql).await?;
        Ok(CopyOutStream(Reading::new(Within::Lent(self), bytes, call)))
    }

    /// The transaction ends with the stream.
    pub(crate) async fn into_copy_out(mut self, sql: &str) -> Result<CopyOutStream<'static>, Error> {
        check(sql)?;
        let (bytes, call) = self.send_copy_out(sql).await?;
        Ok(CopyOutStream(Reading::new(Within::Own(Box::new(self)), bytes, call)))
    }
}

/// Another statement would run, and its answer be none that can be read here.
pub(crate) fn check(sql: &str) -> Result<(), Error> {
    if first_word(sql).eq_ignore_ascii_case("copy") {
        return Ok(());
    }
    let error = Error::new(Kind::Config, "copy_out takes a COPY statement").with_code("42601").not_executed();
    Err(error.with_hint("copy (select …) to stdout"))
}

impl Error {
    /// The server took a COPY for something else than one to STDOUT.
    pub(crate) fn not_copied_out(source: impl Into<crate::error::Source>) -> Error {
        Error::new(Kind::Driver, "copy_out takes a COPY … TO STDOUT, and this copies from or to elsewhere")
            .with_code("42601")
            .with_source(source)
    }
}

impl Stream for CopyOutStream<'_> {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl fmt::Debug for CopyOutStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CopyOutStream").field(&self.0).finish()
    }
}
