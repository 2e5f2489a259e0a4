//! Code that is written once, for single statements and inside a transaction.

use pg_tenant_core::TenantId;
use tokio_postgres::{Row, types::ToSql};

use crate::error::Error;
use crate::tx::builder::TenantHandle;
use crate::tx::bulk::row::BulkRow;
use crate::tx::pipeline::Pipeline;
use crate::tx::stream::RowStream;
use crate::tx::tenant_tx::TenantTx;

mod sealed {
    pub trait Sealed {}
}

/// Runs statements inside one tenant: a [`TenantHandle`] runs each statement in a transaction of its own, a
/// [`TenantTx`] runs all in that one. A repository that takes this trait is written once, for both.
///
/// ```no_run
/// use pg_tenant_client::{Error, TenantExecutor, TenantPool};
///
/// struct Orders<E>(E);
///
/// impl<E: TenantExecutor> Orders<E> {
///     async fn open(&mut self) -> Result<i64, Error> {
///         Ok(self.0.query_one("select count(*) from orders where open", &[]).await?.get(0))
///     }
///
///     /// Both or neither, wherever it is called.
///     async fn close(&mut self, id: i64) -> Result<(), Error> {
///         self.0
///             .transaction(async |tx| {
///                 tx.execute("update orders set open = false where id = $1", &[&id]).await?;
///                 tx.execute("insert into events (order_id, what) values ($1, 'closed')", &[&id]).await?;
///                 Ok(())
///             })
///             .await
///     }
/// }
///
/// # async fn example(pool: TenantPool) -> Result<(), Error> {
/// Orders(pool.tenant("acme")).close(7).await?;
///
/// let mut tx = pool.tenant("acme").begin().await?;
/// Orders(&mut tx).close(8).await?;
/// Orders(&mut tx).close(9).await?;
/// tx.commit().await?;
/// # Ok(()) }
/// ```
///
/// It is implemented for these two, and for references to them. [`danger::SystemTx`](crate::danger::SystemTx) does not
/// implement it, so that code for one tenant cannot run across all of them by mistake. The futures are `Send`; those of
/// [`run`](Self::run) and [`transaction`](Self::transaction) are where the closure's future is. The trait is not dyn
/// compatible.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not run statements inside one tenant",
    label = "neither a `TenantHandle` nor a `TenantTx`",
    note = "take one from a pool: `pool.tenant(id)`, or `&mut tx` of `pool.tenant(id).begin()`",
    note = "the system context works across tenants, and is none"
)]
pub trait TenantExecutor: sealed::Sealed + Send {
    /// The tenant's id; `None` where it is not known yet (a token names it), or is malformed.
    fn tenant_id(&self) -> Option<&TenantId>;

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// Those of [`TenantHandle::query`] or [`TenantTx::query`].
    fn query(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;

    /// Runs a statement that returns exactly one row.
    ///
    /// # Errors
    /// Those of [`TenantHandle::query_one`] or [`TenantTx::query_one`].
    fn query_one(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Row, Error>> + Send;

    /// Runs a statement that returns one row or none.
    ///
    /// # Errors
    /// Those of [`TenantHandle::query_opt`] or [`TenantTx::query_opt`].
    fn query_opt(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<Option<Row>, Error>> + Send;

    /// Runs a statement and returns how many rows it affected.
    ///
    /// # Errors
    /// Those of [`TenantHandle::execute`] or [`TenantTx::execute`].
    fn execute(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)])
    -> impl Future<Output = Result<u64, Error>> + Send;

    /// Runs a statement and returns its rows as they arrive.
    ///
    /// # Errors
    /// Those of [`TenantHandle::query_stream`] or [`TenantTx::query_stream`].
    fn query_stream(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Result<RowStream<'_>, Error>> + Send;

    /// Writes many rows into one table: all of them, or none.
    ///
    /// # Errors
    /// Those of [`TenantHandle::insert_many`] or [`TenantTx::insert_many`].
    fn insert_many<'t, R, I>(
        &'t mut self,
        table: &'t str,
        columns: &'t [&'t str],
        rows: I,
    ) -> impl Future<Output = Result<u64, Error>> + Send + 't
    where
        R: BulkRow + Send + 't,
        I: IntoIterator<Item = R>,
        I::IntoIter: Send + 't;

    /// Sends statements together: all of them take effect, or none.
    ///
    /// # Errors
    /// Those of [`TenantHandle::pipeline`] or [`TenantTx::pipeline`].
    fn pipeline<P>(&mut self, pipeline: P) -> impl Future<Output = Result<P::Answers, Error>> + Send
    where
        P: Pipeline + Send + Sync,
        P::Answers: Send;

    /// Runs a closure that takes effect as a whole or not at all: in a transaction of its own, or in a savepoint of the
    /// open one.
    ///
    /// # Errors
    /// Those of [`TenantHandle::run`] or [`TenantTx::savepoint`].
    fn run<T, E, F>(&mut self, work: F) -> impl Future<Output = Result<T, E>>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
        E: From<Error>;

    /// As [`run`](Self::run), whose error is this crate's [`Error`]: the closure ends with a plain `Ok(value)`.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    fn transaction<T, F>(&mut self, work: F) -> impl Future<Output = Result<T, Error>>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, Error>,
    {
        self.run(work)
    }
}

/// The calls of `$target`, to which a `&mut` of each coerces.
macro_rules! executor {
    ([$($generic:tt)*] $executor:ty, $target:ty, $run:ident) => {
        impl<$($generic)*> sealed::Sealed for $executor {}

        impl<$($generic)*> TenantExecutor for $executor {
            fn tenant_id(&self) -> Option<&TenantId> {
                <$target>::tenant_id(self)
            }

            async fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
                <$target>::query(self, sql, params).await
            }

            async fn query_one(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
                <$target>::query_one(self, sql, params).await
            }

            async fn query_opt(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
                <$target>::query_opt(self, sql, params).await
            }

            async fn execute(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
                <$target>::execute(self, sql, params).await
            }

            async fn query_stream(
                &mut self,
                sql: &str,
                params: &[&(dyn ToSql + Sync)],
            ) -> Result<RowStream<'_>, Error> {
                <$target>::query_stream(self, sql, params).await
            }

            fn insert_many<'t, R, I>(
                &'t mut self,
                table: &'t str,
                columns: &'t [&'t str],
                rows: I,
            ) -> impl Future<Output = Result<u64, Error>> + Send + 't
            where
                R: BulkRow + Send + 't,
                I: IntoIterator<Item = R>,
                I::IntoIter: Send + 't,
            {
                <$target>::insert_many(self, table, columns, rows)
            }

            async fn pipeline<P>(&mut self, pipeline: P) -> Result<P::Answers, Error>
            where
                P: Pipeline + Send + Sync,
                P::Answers: Send,
            {
                <$target>::pipeline(self, pipeline).await
            }

            async fn run<T, E, F>(&mut self, work: F) -> Result<T, E>
            where
                F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
                E: From<Error>,
            {
                <$target>::$run(self, work).await
            }
        }
    };
}

executor!([] TenantHandle, TenantHandle, run);
executor!([] & TenantHandle, TenantHandle, run);
executor!([] TenantTx, TenantTx, savepoint);
executor!([X: TenantExecutor] &mut X, X, run);
