//! The handle of the system context on a pool: options, single statements, transactions.

use std::panic::Location;

use pg_tenant_core::{SystemContext, TenantId};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::danger::reason::Reason;
use crate::danger::system_tx::SystemTx;
use crate::error::Error;
use crate::pool::admission::Site;
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::share::Share;
use crate::tx::bulk::row::BulkRow;
use crate::tx::copy_out::CopyOutStream;
use crate::tx::entry::EntryMethod;
use crate::tx::options::{BeginOptions, begin_options};
use crate::tx::pipeline::Pipeline;
use crate::tx::place::Place;
use crate::tx::run::{Begin, run_once};
use crate::tx::stream::RowStream;
use crate::wire::step;
use crate::wire::step::{Answer, Step, Typed};

/// The system context on one pool: runs single statements, or begins transactions, **across all tenants**. Made by
/// [`danger::system`](crate::danger::system).
///
/// A single statement costs one round trip once it is prepared, as a tenant's does.
///
/// Every call fails with [`Error::is_reason_missing`] where the reason is empty, without I/O;
/// [`Error::is_system_refused`] where the role may not enter it; [`Error::is_read_only`] where it asks to write and the
/// transaction or the server is read-only.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until a query, begin() or run()"]
pub struct SystemTxBuilder {
    pool: TenantPool,
    reason: Reason,
    context: SystemContext,
    options: BeginOptions,
    /// A replica may serve it.
    reports: bool,
    /// The place in the program where it was made.
    site: Site,
}

begin_options!(system SystemTxBuilder);

impl SystemTxBuilder {
    #[track_caller]
    pub(crate) fn new(pool: TenantPool, reason: String) -> SystemTxBuilder {
        let (reason, context, options) = (Reason::new(reason), SystemContext::Read, BeginOptions::ambient());
        SystemTxBuilder { pool, reason, context, options, reports: false, site: Some(Location::caller()) }
    }

    pub(crate) fn reports(mut self) -> SystemTxBuilder {
        self.reports = true;
        self
    }

    /// Allows it to write. `tenant.journal` then has a line for each transaction that was committed.
    pub fn write(mut self) -> Self {
        self.context = SystemContext::Write;
        self
    }

    /// Runs one statement in a transaction of its own and returns its rows.
    ///
    /// # Errors
    /// As every call of this type. Nothing was committed then, unless [`Error::outcome_unknown`]: the connection broke
    /// before the answer came.
    pub async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        Ok(self.one_statement(Step::rows(sql, params)).await?.rows)
    }

    /// Runs one statement that returns exactly one row.
    ///
    /// # Errors
    /// As [`query`](Self::query), and where it does not return exactly one row. **It is committed then**: rows are
    /// counted after the round trip, in which it was committed. Use [`run`](Self::run) where a wrong count must undo a
    /// write.
    pub async fn query_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        step::one(self.one_statement(Step::rows(sql, params)).await?.rows)
    }

    /// Runs one statement that returns one row or none.
    ///
    /// # Errors
    /// As [`query_one`](Self::query_one), where it returns more than one row.
    pub async fn query_opt(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        step::opt(self.one_statement(Step::rows(sql, params)).await?.rows)
    }

    /// Runs one statement and returns how many rows it affected.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        Ok(self.one_statement(Step::count(sql, params)).await?.affected)
    }

    /// As [`query`](Self::query), with the type of each parameter said rather than inferred by the server: for values
    /// that are serialized already, such as an ORM's.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_typed(&self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, Error> {
        Ok(self.one_statement(Typed::new(params).rows(sql)).await?.rows)
    }

    /// As [`execute`](Self::execute), with the type of each parameter said.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute_typed(&self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<u64, Error> {
        Ok(self.one_statement(Typed::new(params).count(sql)).await?.affected)
    }

    /// Runs statements in a transaction of their own, in one round trip once they are prepared. All of them take
    /// effect, or none.
    ///
    /// # Errors
    /// Those of [`SystemTx::pipeline_then_commit`], and of every call of this type.
    pub async fn pipeline<P: Pipeline>(&self, pipeline: P) -> Result<P::Answers, Error> {
        self.begin().await?.pipeline_then_commit(pipeline).await
    }

    /// Runs one statement in a transaction of its own and returns its rows as they come, as
    /// [`TenantHandle::query_stream`](crate::TenantHandle::query_stream) does.
    ///
    /// # Errors
    /// As every call of this type, from this call or from the stream.
    pub async fn query_stream(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'static>, Error> {
        self.begin().await?.into_open().into_query_stream(sql, params).await
    }

    /// Runs a `COPY … TO STDOUT` in a transaction of its own and returns its bytes as they come, as
    /// [`TenantHandle::copy_out`](crate::TenantHandle::copy_out) does.
    ///
    /// # Errors
    /// As every call of this type, from this call or from the stream.
    pub async fn copy_out(&self, sql: &str) -> Result<CopyOutStream<'static>, Error> {
        self.begin().await?.into_open().into_copy_out(sql).await
    }

    /// Writes many rows in a transaction of their own: all of them, or none. See [`SystemTx::insert_many`].
    ///
    /// # Errors
    /// Those of [`SystemTx::insert_many`] and [`SystemTx::commit`].
    pub fn insert_many<'t, R, I>(
        &'t self,
        table: &'t str,
        columns: &'t [&'t str],
        rows: I,
    ) -> impl Future<Output = Result<u64, Error>> + Send + 't
    where
        R: BulkRow + Send + 't,
        I: IntoIterator<Item = R>,
        I::IntoIter: Send + 't,
    {
        let rows = rows.into_iter().peekable();
        async move { self.begin().await?.insert_many_then_commit(table, columns, rows).await }
    }

    /// Takes a connection and begins a transaction on it. Nothing is sent yet: begin and entering travel with the first
    /// statement, whose errors therefore include those of entering.
    ///
    /// # Errors
    /// [`Error::is_reason_missing`]; those of getting a connection (see [`TenantPool::check`]).
    pub async fn begin(&self) -> Result<SystemTx, Error> {
        let method = EntryMethod::System(self.context, self.reason.checked()?.to_owned());
        // On the primary it begins so that the journal can be written.
        let there = BeginOptions { read_only: Some(true), ..self.options };
        if self.reports && self.context == SystemContext::Read && there.may_be_on_replica() {
            let place = Place { pool: &self.pool, share: Share::NoTenant, site: self.site, after: None };
            if let Some(open) = place.begin_on_replica(&method, there, self.options).await? {
                return Ok(SystemTx::of(open));
            }
        }
        let lease = self.pool.lease_for(Share::NoTenant, self.site).await?;
        let options = self.options.within(lease.permit());
        Ok(SystemTx::new(self.pool.clone(), lease, method, &options))
    }

    /// Runs a closure in a transaction: commits where it returns `Ok`, rolls back where it returns `Err`.
    ///
    /// Dropping the future, or a panic in the closure, rolls back too.
    ///
    /// # Errors
    /// The closure's, or those of [`begin`](Self::begin) and [`SystemTx::commit`].
    pub async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut SystemTx) -> Result<T, E>,
        E: From<Error>,
    {
        run_once(self, work).await
    }

    /// Runs a closure in a transaction, as [`run`](Self::run) does, whose error is this crate's [`Error`]: so the
    /// closure ends with a plain `Ok(value)`.
    ///
    /// `run` takes whatever error the closure returns. Where that uses `?`, which converts, Rust cannot infer the type
    /// (`E0283`), and the closure ends with `Ok::<_, MyError>(value)`.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub async fn transaction<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: AsyncFnOnce(&mut SystemTx) -> Result<T, Error>,
    {
        run_once(self, work).await
    }

    async fn one_statement(&self, step: Step<'_>) -> Result<Answer, Error> {
        self.begin().await?.send_then_commit(step).await
    }
}

impl Begin for SystemTxBuilder {
    type Tx = SystemTx;

    fn named_tenant(&self) -> Option<&TenantId> {
        None
    }

    fn begin(&self) -> impl Future<Output = Result<SystemTx, Error>> + Send {
        self.begin()
    }
}
