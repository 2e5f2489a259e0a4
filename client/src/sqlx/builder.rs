//! The handle of one tenant on a pool over sqlx: options, single statements, transactions.

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
use crate::tenant::ambient;
use crate::tenant::charge::Riding;
use crate::tenant::impersonation::Impersonation;
use crate::tenant::into_id::IntoTenantId;
use crate::tenant::token::Token;
use crate::tx::entry::Entry;
use crate::tx::options::{BeginOptions, begin_options};
use crate::tx::run::{Begin, run_once};
use crate::tx::usage::consume_first;

/// One tenant on one pool: runs single statements, or begins transactions. Made by
/// [`TenantPool::tenant`](super::TenantPool::tenant).
///
/// Every call fails with `TN002` for an unknown tenant, `TN003` for a suspended one, `TN004` for a malformed id,
/// `TN006` where the role is bound to another tenant, `TN09x` for what is wrong with a token, and with
/// [`Error::is_extension_missing`] (`3F000`, `42883`) or [`Error::is_version_mismatch`] where the database does not
/// have the right extension.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until a query, begin() or run()"]
pub struct TenantHandle {
    pool: TenantPool,
    entry: Entry,
    options: BeginOptions,
    /// The place in the program where it was made.
    site: Site,
}

impl TenantPool {
    /// A handle for this tenant, with the actor and role that the value carries. Nothing is sent.
    ///
    /// A text that is no tenant id is reported by the first call on the handle: SQLSTATE `TN004`, without I/O.
    #[track_caller]
    pub fn tenant(&self, tenant: impl IntoTenantId) -> TenantHandle {
        TenantHandle::new(self.clone(), Entry::tenant(tenant))
    }

    /// As [`tenant`](Self::tenant), for the tenant of the running task (see [`ambient`](crate::ambient)). Where the
    /// task has none, the first call on the handle fails with SQLSTATE `TN001`, without I/O.
    #[track_caller]
    pub fn current(&self) -> TenantHandle {
        TenantHandle::new(self.clone(), Entry::ambient())
    }

    /// A handle that enters with a signed token, such as the user's own, which names tenant, actor and role. Nothing is
    /// sent.
    ///
    /// The token travels as a parameter, which costs sqlx one round trip more than a plain entry. It is in no error and
    /// no debug output of this crate.
    #[track_caller]
    pub fn signed(&self, token: impl Into<String>) -> TenantHandle {
        TenantHandle::new(self.clone(), Entry::Signed(Token::new(token)))
    }

    /// A handle that works in the tenant of a grant, in the place of its user: for support (see
    /// [`Support`](crate::admin::Support)). It reads only, unless the grant is for writing. Spans carry both
    /// identities, as `actor` and `impersonator`. Nothing is sent.
    ///
    /// Every call fails with [`Error::is_impersonation_over`] once the grant has ended: `TN159`, and `TN158` where it
    /// opens nothing to the login of this pool.
    #[track_caller]
    pub fn impersonate(&self, grant: &Impersonation) -> TenantHandle {
        TenantHandle::new(self.clone(), Entry::By(grant.clone()))
    }
}

begin_options!(tenant TenantHandle);

impl TenantHandle {
    #[track_caller]
    pub(super) fn new(pool: TenantPool, entry: Entry) -> TenantHandle {
        TenantHandle { pool, entry, options: BeginOptions::ambient(), site: Some(Location::caller()) }
    }

    /// The tenant. `None` where a token names it, or where what it was made of is no tenant id.
    pub fn tenant_id(&self) -> Option<&TenantId> {
        self.entry.tenant_id()
    }

    /// Sets the actor, for whom the transaction works: `tenant.enter(id, actor)` on the server, or the claim `sub` of
    /// the token that the pool signs; `tenant.current_actor()` in SQL. What the actor may do is what it may as a member
    /// of the tenant, `tenant.can('invoice.write')`. Without effect where a token is forwarded, which names its own.
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.entry = self.entry.map(|tenant| tenant.with_actor(actor.into()));
        self
    }

    /// Sets the actor's role in the application: the claim `role`, `tenant.current_actor_role()` in SQL. Without effect
    /// where the pool signs no tokens.
    #[cfg(feature = "sign")]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.entry = self.entry.map(|tenant| tenant.with_role(role.into()));
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

    /// Begins a transaction and enters the tenant, in one round trip; with a token in two.
    ///
    /// A connection that turns out to be broken or dirty is replaced by another, since nothing was executed yet.
    ///
    /// # Errors
    /// As every call of this type; [`Error::is_timeout`] where no connection became free.
    pub async fn begin(&self) -> Result<TenantTx, Error> {
        let method = self.entry.method(
            #[cfg(feature = "sign")]
            self.pool.signer.as_ref(),
        )?;
        let share = self.entry.share(|token| self.pool.admission.share_of(token));
        let riding = self.riding();
        let consume = riding.as_ref().map(|riding| consume_first(riding.charge()));
        let begun = begin(&self.pool, share, &method, &self.options, self.site, consume).await;
        let (lease, id) = begun.inspect_err(|error| {
            if let (Some(riding), Some(usage)) = (&riding, error.usage()) {
                riding.refuse(usage);
            }
        })?;
        let id = id.ok_or_else(|| Error::new(Kind::Driver, "entering returned no tenant"))?;
        Ok(TenantTx::new(lease, id, self.entry.by(), riding))
    }

    /// What the running request is charged for, where this transaction may write.
    fn riding(&self) -> Option<Riding> {
        if self.options.read_only == Some(true) {
            return None;
        }
        ambient::charge()?.ride(self.entry.tenant_id())
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
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, Error>,
    {
        run_once(self, work).await
    }
}

impl Begin for TenantHandle {
    type Tx = TenantTx;

    fn named_tenant(&self) -> Option<&TenantId> {
        self.entry.tenant_id()
    }

    fn by(&self) -> Option<&Impersonation> {
        self.entry.by()
    }

    fn begin(&self) -> impl Future<Output = Result<TenantTx, Error>> + Send {
        self.begin()
    }
}
