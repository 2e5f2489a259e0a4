//! On whose behalf, and how: between the sqlx pool and the transaction.

use std::panic::Location;

use ::sqlx::postgres::{PgQueryResult, PgRow};
use ::sqlx::{Execute, Postgres};
use pg_tenant_core::TenantId;

use super::begin::begin;
use super::open_tx::Handle;
use super::pool::TenantPool;
use super::tenant_tx::TenantTx;
use crate::error::{Error, Kind};
use crate::pool::admission::Site;
use crate::tenant::into_id::IntoTenantId;
use crate::tenant::token::Token;
use crate::tx::entry::Entry;
use crate::tx::options::{BeginOptions, begin_options};
use crate::tx::run::{Begin, run_once};

/// One tenant on one pool: runs single statements, or begins transactions. Made by
/// [`TenantPool::tenant`](super::TenantPool::tenant).
///
/// Every call fails with `TN002` for an unknown tenant, `TN003` for a suspended one, `TN004` for a malformed id,
/// `TN006` where the role is bound to another tenant, `TN09x` for what is wrong with a token, `3F000` or `42883`
/// ([`Error::is_extension_missing`]) and [`Error::is_version_mismatch`] where the database has not the right extension.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until a query, begin() or run()"]
pub struct TenantHandle {
    pool: TenantPool,
    entry: Entry,
    options: BeginOptions,
    /// Where it was made.
    site: Site,
}

impl TenantPool {
    /// Says in which tenant, and on whose behalf, the next statements run. Nothing is sent.
    ///
    /// A text that is no tenant id is reported by the call that would use it, with SQLSTATE `TN004` and without I/O.
    #[track_caller]
    pub fn tenant(&self, tenant: impl IntoTenantId) -> TenantHandle {
        TenantHandle::new(self.clone(), Entry::tenant(tenant))
    }

    /// As [`tenant`](Self::tenant), for the tenant of the running task (see [`ambient`](crate::ambient)). Where the task
    /// has none, the call that would use it says so with SQLSTATE `TN001` and without I/O.
    #[track_caller]
    pub fn current(&self) -> TenantHandle {
        TenantHandle::new(self.clone(), Entry::ambient())
    }

    /// Enters with a signed token, such as a user's own, which names the tenant, the actor and the role. Nothing is
    /// sent.
    ///
    /// It travels as a parameter, which costs sqlx one round trip more than a plain entry, and is in no error and no debug output of this crate.
    #[track_caller]
    pub fn signed(&self, token: impl Into<String>) -> TenantHandle {
        TenantHandle::new(self.clone(), Entry::Signed(Token::new(token)))
    }
}

begin_options!(tenant TenantHandle);

impl TenantHandle {
    #[track_caller]
    pub(super) fn new(pool: TenantPool, entry: Entry) -> TenantHandle {
        TenantHandle { pool, entry, options: BeginOptions::default(), site: Some(Location::caller()) }
    }

    /// Names whom the transaction acts for: the claim `sub` of the token that the pool signs, `tenant.current_actor()`
    /// in SQL. Of no effect where the pool signs none.
    #[cfg(feature = "sign")]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.entry = self.entry.map(|tenant| tenant.with_actor(actor.into()));
        self
    }

    /// Names their role in the application: the claim `role`, `tenant.current_actor_role()` in SQL. Of no effect where the
    /// pool signs no token.
    #[cfg(feature = "sign")]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.entry = self.entry.map(|tenant| tenant.with_role(role.into()));
        self
    }

    /// Runs one statement in a transaction of its own and returns its rows.
    ///
    /// # Errors
    /// As every call of this type. Nothing was committed then, unless [`Error::is_closed`], which leaves it unknown.
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

    /// Begins a transaction and enters the tenant, in one round trip; with a token in two.
    ///
    /// A connection that turns out broken or dirty is given up and another is taken: nothing was executed yet.
    ///
    /// # Errors
    /// As every call of this type; [`Error::is_timeout`] where no connection became free.
    pub async fn begin(&self) -> Result<TenantTx, Error> {
        let method = self.entry.method(
            #[cfg(feature = "sign")]
            self.pool.signer.as_ref(),
        )?;
        let share = self.entry.share(|token| self.pool.admission.share_of(token));
        let (lease, id) = begin(&self.pool, share, &method, &self.options, self.site).await?;
        let id = id.ok_or_else(|| Error::new(Kind::Driver, "entering returned no tenant"))?;
        Ok(TenantTx::new(lease, id))
    }

    /// Runs a closure in a transaction: commits where it returns `Ok`, rolls back where it returns `Err`.
    ///
    /// Dropping the future, or a panic in the closure, rolls back too.
    ///
    /// # Errors
    /// The closure's, or those of [`begin`](Self::begin) and [`TenantTx::commit`].
    pub async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
        E: From<Error>,
    {
        run_once(self, work).await
    }
}

impl Begin for TenantHandle {
    type Tx = TenantTx;

    fn named_tenant(&self) -> Option<&TenantId> {
        self.entry.tenant_id()
    }

    fn begin(&self) -> impl Future<Output = Result<TenantTx, Error>> + Send {
        self.begin()
    }
}
