//! The handle of the system context on a pool over sqlx: options, single statements, transactions.

use std::panic::Location;

use ::sqlx::postgres::{PgQueryResult, PgRow};
use ::sqlx::{Execute, Postgres};
use pg_tenant_core::{SystemContext, TenantId};

use super::system_tx::SystemTx;
use crate::danger::reason::Reason;
use crate::error::Error;
use crate::pool::admission::Site;
use crate::sqlx::begin::begin;
use crate::sqlx::open_tx::Handle;
use crate::sqlx::pool::TenantPool;
use crate::tenant::share::Share;
use crate::tx::entry::EntryMethod;
use crate::tx::options::{BeginOptions, begin_options};
use crate::tx::run::{Begin, run_once};

/// The system context on one pool: runs single statements, or begins transactions, **across all tenants**. Made by
/// [`danger::system`](crate::sqlx::danger::system).
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
    /// The place in the program where it was made.
    site: Site,
}

begin_options!(system SystemTxBuilder);

impl SystemTxBuilder {
    #[track_caller]
    pub(in crate::sqlx) fn new(pool: TenantPool, reason: String) -> SystemTxBuilder {
        let (reason, context, options) = (Reason::new(reason), SystemContext::Read, BeginOptions::ambient());
        SystemTxBuilder { pool, reason, context, options, site: Some(Location::caller()) }
    }

    /// Allows it to write. `tenant.journal` then has a line for each transaction that was committed.
    pub fn write(mut self) -> Self {
        self.context = SystemContext::Write;
        self
    }

    /// Runs one statement in a transaction of its own and returns its rows.
    ///
    /// # Errors
    /// As every call of this type. Nothing was committed then, unless [`Error::outcome_unknown`].
    pub async fn query<'q, E: Execute<'q, Postgres> + 'q>(&self, query: E) -> Result<Vec<PgRow>, Error> {
        self.begin().await?.into_open().query_then_commit(query).await
    }

    /// Runs one statement and returns its first row.
    ///
    /// # Errors
    /// As [`query`](Self::query), and where it returns no row: nothing was committed then.
    pub async fn query_one<'q, E: Execute<'q, Postgres> + 'q>(&self, query: E) -> Result<PgRow, Error> {
        self.begin().await?.into_open().query_one_then_commit(query).await
    }

    /// Runs one statement and returns its first row, if there is one.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_opt<'q, E: Execute<'q, Postgres> + 'q>(&self, query: E) -> Result<Option<PgRow>, Error> {
        self.begin().await?.into_open().query_opt_then_commit(query).await
    }

    /// Runs one statement and returns how many rows it affected.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute<'q, E: Execute<'q, Postgres> + 'q>(&self, query: E) -> Result<PgQueryResult, Error> {
        self.begin().await?.into_open().execute_then_commit(query).await
    }

    /// Begins a transaction and enters the system context, in one round trip.
    ///
    /// A connection that turns out to be broken or dirty is replaced by another, since nothing was executed yet.
    ///
    /// # Errors
    /// As every call of this type; [`Error::is_timeout`] where no connection became free.
    pub async fn begin(&self) -> Result<SystemTx, Error> {
        let method = EntryMethod::System(self.context, self.reason.checked()?.to_owned());
        let (lease, _) = begin(&self.pool, Share::NoTenant, &method, &self.options, self.site, None).await?;
        Ok(SystemTx::new(lease, self.context))
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
