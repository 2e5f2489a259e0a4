//! A transaction in the system context.

use std::fmt;
use std::iter::Peekable;

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::error::Error;
use crate::pool::lease::Lease;
use crate::pool::tenant_pool::TenantPool;
use crate::tx::bulk::row::BulkRow;
use crate::tx::copy_out::CopyOutStream;
use crate::tx::entry::EntryMethod;
use crate::tx::open_tx::{Handle, OpenTx};
use crate::tx::options::BeginOptions;
use crate::tx::pipeline::Pipeline;
use crate::tx::run::Transaction;
use crate::tx::savepoint::savepoint;
use crate::tx::stream::RowStream;
use crate::wire::step::{Answer, Step, Then, Typed};

/// A transaction **across all tenants**, on a connection it owns. Made by [`SystemTxBuilder::begin`].
///
/// It is a type of its own: a function that takes a [`TenantTx`](crate::TenantTx) cannot be called with it, so code
/// that is written for one tenant cannot work on all of them by mistake. There is no current tenant: an `INSERT` must
/// name the tenant column.
///
/// All else is as with [`TenantTx`](crate::TenantTx): dropping it rolls back, a call that was dropped half-way makes it
/// refuse further calls, the first statement's errors include those of entering, and after an error of the server
/// everything but rolling back fails with `25P02`.
///
/// [`SystemTxBuilder::begin`]: crate::danger::SystemTxBuilder::begin
pub struct SystemTx(OpenTx);

impl SystemTx {
    pub(crate) fn new(pool: TenantPool, lease: Lease, method: EntryMethod, options: &BeginOptions) -> SystemTx {
        SystemTx(OpenTx::new(pool, lease, method, options))
    }

    pub(super) fn of(open: OpenTx) -> SystemTx {
        SystemTx(open)
    }

    pub(super) fn into_open(self) -> OpenTx {
        self.0
    }

    pub(super) async fn send_then_commit(self, step: Step<'_>) -> Result<Answer, Error> {
        self.0.send_then_commit(step).await
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// The server's, [`Error::is_read_only`] among them; the first statement also fails with those of entering.
    pub async fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        self.0.query(sql, params).await
    }

    /// Runs a statement that returns exactly one row.
    ///
    /// # Errors
    /// As [`query`](Self::query), and where it does not return exactly one row; the transaction can go on after that.
    pub async fn query_one(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        self.0.query_one(sql, params).await
    }

    /// Runs a statement that returns one row or none.
    ///
    /// # Errors
    /// As [`query_one`](Self::query_one), where it returns more than one row.
    pub async fn query_opt(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        self.0.query_opt(sql, params).await
    }

    /// Runs a statement and returns how many rows it affected.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        self.0.execute(sql, params).await
    }

    /// As [`query`](Self::query), with the type of each parameter said rather than inferred by the server: for values
    /// that are serialized already, such as an ORM's.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_typed(&mut self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, Error> {
        Ok(self.0.send(Typed::new(params).rows(sql), Then::Stay).await?.rows)
    }

    /// As [`execute`](Self::execute), with the type of each parameter said.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute_typed(&mut self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<u64, Error> {
        Ok(self.0.send(Typed::new(params).count(sql), Then::Stay).await?.affected)
    }

    /// Runs several statements, separated by semicolons, in one round trip and without parameters.
    ///
    /// Never build the text from input: nothing is quoted here.
    ///
    /// # Errors
    /// As [`query`](Self::query), of the first statement that fails; those after it did not run.
    pub async fn batch_execute(&mut self, sql: &str) -> Result<(), Error> {
        self.0.send_batch(sql).await
    }

    /// Runs a statement and returns its rows as they come, for results too large to hold.
    ///
    /// Dropping the stream before its end is allowed: the next call waits until the rest has been read past.
    ///
    /// # Errors
    /// As [`query`](Self::query), from this call or from the stream.
    pub async fn query_stream(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>, Error> {
        self.0.query_stream(sql, params).await
    }

    /// Runs a `COPY … TO STDOUT` and returns its bytes as they come, as
    /// [`TenantTx::copy_out`](crate::TenantTx::copy_out) does.
    ///
    /// # Errors
    /// Those of [`TenantTx::copy_out`](crate::TenantTx::copy_out).
    pub async fn copy_out(&mut self, sql: &str) -> Result<CopyOutStream<'_>, Error> {
        self.0.copy_out(sql).await
    }

    /// Writes many rows, as [`TenantTx::insert_many`](crate::TenantTx::insert_many) does; the tenant column is one of
    /// those named.
    ///
    /// # Errors
    /// Those of [`TenantTx::insert_many`](crate::TenantTx::insert_many).
    pub fn insert_many<'t, R, I>(
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
        // Not an `async fn`: see `TenantTx::insert_many`.
        let rows = rows.into_iter().peekable();
        async move { self.0.insert_many(table, columns, rows, Then::Stay).await }
    }

    pub(super) async fn insert_many_then_commit<R: BulkRow>(
        mut self,
        table: &str,
        columns: &[&str],
        rows: Peekable<impl Iterator<Item = R>>,
    ) -> Result<u64, Error> {
        self.0.insert_many(table, columns, rows, Then::Commit).await
    }

    /// Sends statements together and waits for all, as [`TenantTx::pipeline`](crate::TenantTx::pipeline) does.
    ///
    /// # Errors
    /// Those of [`TenantTx::pipeline`](crate::TenantTx::pipeline).
    pub async fn pipeline<P: Pipeline>(&mut self, pipeline: P) -> Result<P::Answers, Error> {
        self.0.pipeline(pipeline, Then::Stay).await
    }

    /// As [`pipeline`](Self::pipeline), with commit in the same round trip.
    ///
    /// # Errors
    /// Those of [`TenantTx::pipeline_then_commit`](crate::TenantTx::pipeline_then_commit).
    pub async fn pipeline_then_commit<P: Pipeline>(mut self, pipeline: P) -> Result<P::Answers, Error> {
        self.0.pipeline(pipeline, Then::Commit).await
    }

    /// Runs the last statement and commits, in one round trip.
    ///
    /// # Errors
    /// As [`query`](Self::query) and [`commit`](Self::commit). Nothing was committed then, unless
    /// [`Error::outcome_unknown`](crate::Error::outcome_unknown).
    pub async fn query_then_commit(self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        Ok(self.0.send_then_commit(Step::rows(sql, params)).await?.rows)
    }

    /// As [`query_then_commit`](Self::query_then_commit), and returns how many rows the statement affected.
    ///
    /// # Errors
    /// As [`query_then_commit`](Self::query_then_commit).
    pub async fn execute_then_commit(self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        Ok(self.0.send_then_commit(Step::count(sql, params)).await?.affected)
    }

    /// Commits. A transaction in which nothing was sent costs nothing, and was not entered.
    ///
    /// # Errors
    /// Those of [`TenantTx::commit`](crate::TenantTx::commit). [`Error::is_tenant_lost`] where a statement had ended
    /// the transaction: what ran after it ran outside the system context.
    pub async fn commit(self) -> Result<(), Error> {
        self.0.commit().await
    }

    /// Rolls back and waits until that is done. The entry's line in `tenant.journal` is rolled back too; the line in
    /// the server's log stays.
    ///
    /// # Errors
    /// [`Error::is_closed`] where the connection broke: the server rolls back in that case too.
    pub async fn rollback(self) -> Result<(), Error> {
        self.0.rollback().await
    }

    /// Runs a closure inside a savepoint, as [`TenantTx::savepoint`](crate::TenantTx::savepoint) does.
    ///
    /// # Errors
    /// The closure's. `25P02` where the closure returned `Ok` although a statement in it had failed: it was undone.
    pub async fn savepoint<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut SystemTx) -> Result<T, E>,
        E: From<Error>,
    {
        savepoint(self, work).await
    }

    /// Runs a closure inside a savepoint, as [`savepoint`](Self::savepoint) does, whose error is this crate's
    /// [`Error`]: so the closure ends with a plain `Ok(value)`.
    ///
    /// # Errors
    /// Those of [`savepoint`](Self::savepoint).
    pub async fn transaction<T, F>(&mut self, work: F) -> Result<T, Error>
    where
        F: AsyncFnOnce(&mut SystemTx) -> Result<T, Error>,
    {
        savepoint(self, work).await
    }
}

impl Handle for SystemTx {
    fn open(&mut self) -> &mut OpenTx {
        &mut self.0
    }
}

impl Transaction for SystemTx {
    fn commit(self) -> impl Future<Output = Result<(), Error>> + Send {
        self.0.commit()
    }

    fn rollback(self) -> impl Future<Output = Result<(), Error>> + Send {
        self.0.rollback()
    }

    fn serialization_failed(&self) -> bool {
        self.0.serialization_failed()
    }
}

impl fmt::Debug for SystemTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SystemTx").field(&self.0).finish()
    }
}
