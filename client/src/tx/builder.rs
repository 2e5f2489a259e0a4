//! The handle of one tenant on a pool: options, single statements, transactions.

use std::panic::Location;

use pg_tenant_core::TenantId;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::error::Error;
use crate::pool::admission::Site;
use crate::pool::read_after::ReadAfter;
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::ambient;
use crate::tenant::charge::Riding;
use crate::tenant::impersonation::Impersonation;
use crate::tenant::into_id::IntoTenantId;
use crate::tenant::share::Share;
use crate::tenant::token::Token;
use crate::tx::entry::{Entry, EntryMethod};
use crate::tx::options::{BeginOptions, begin_options};
use crate::tx::place::Place;
use crate::tx::run::{Begin, run_once};
use crate::tx::tenant_tx::TenantTx;
use crate::wire::lsn::Lsn;
use crate::wire::step;
use crate::wire::step::{Answer, Step, Then, Typed};

/// One tenant on one pool: runs single statements, or begins transactions. Made by [`TenantPool::tenant`].
///
/// Cheap to make and to keep; it holds no connection. A single statement costs **one round trip** once it is prepared:
/// begin, enter, the statement and commit are sent together. The first use on a connection adds one for preparing.
///
/// Every call fails with `TN002` for an unknown tenant, `TN003` for a suspended one, `TN004` for a malformed id,
/// `TN006` where the role is bound to another tenant, `TN09x` for what is wrong with a token, and with the server's
/// SQLSTATE for whatever else it refuses.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until a query, begin() or run()"]
pub struct TenantHandle {
    pool: TenantPool,
    entry: Entry,
    options: BeginOptions,
    /// What a read must see.
    after: Option<ReadAfter>,
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
    /// The token travels as a parameter, in the same round trip. It is in no error and no debug output of this crate.
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
    pub(crate) fn new(pool: TenantPool, entry: Entry) -> TenantHandle {
        TenantHandle { pool, entry, options: BeginOptions::ambient(), after: None, site: Some(Location::caller()) }
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

    /// Takes a connection and begins a transaction on it. Nothing is sent yet: begin and enter travel with the first
    /// statement, whose errors therefore include those of entering.
    ///
    /// # Errors
    /// `TN004` for a malformed id; those of getting a connection (see [`TenantPool::check`]).
    pub async fn begin(&self) -> Result<TenantTx, Error> {
        let method = self.entry.method(
            #[cfg(feature = "sign")]
            self.pool.signer.as_ref(),
        )?;
        let share = self.entry.share(|token| self.pool.share_of(token));
        if let Some(tx) = self.begin_on_replica(&method, share).await? {
            return Ok(tx);
        }
        let lease = self.pool.lease_by(share, self.site, self.entry.by()).await?;
        let options = self.options.within(lease.permit());
        let mut tx = TenantTx::new(self.pool.clone(), lease, method, &options);
        if let Some(riding) = self.riding() {
            tx.open.take_along(riding);
        }
        Ok(tx)
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
    /// ```compile_fail,E0283
    /// # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
    /// let close = async |tx: &mut pg_tenant_client::TenantTx| {
    ///     tx.execute("update orders set open = false", &[]).await?;
    ///     Ok(())
    /// };
    /// pool.tenant("acme").run(close).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// ```no_run
    /// # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
    /// let open: i64 = pool
    ///     .tenant("acme")
    ///     .transaction(async |tx| {
    ///         tx.execute("update orders set open = false where id = $1", &[&7i64]).await?;
    ///         Ok(tx.query_one("select count(*) from orders where open", &[]).await?.get(0))
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub async fn transaction<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, Error>,
    {
        run_once(self, work).await
    }

    /// How far the server's log had got with the tenant's last commit through this pool: for
    /// [`read_after`](Self::read_after) in another process, which does not know of it. `None` where it has written
    /// nothing through this pool, its pool has no [`replica`](crate::TenantPoolBuilder::replica), or a token names the
    /// tenant.
    pub fn last_write(&self) -> Option<ReadAfter> {
        let needs = self.pool.replicas()?.written.needs(Some(self.entry.tenant_id()?))?;
        (needs != Lsn::default()).then_some(ReadAfter(needs))
    }

    /// Lets what reads see what was committed until then, whichever server answers. What the tenant has written through
    /// this pool it sees in any case.
    pub fn read_after(mut self, position: ReadAfter) -> Self {
        self.after = self.after.max(Some(position));
        self
    }

    /// What the running request is charged for, where this transaction may write.
    fn riding(&self) -> Option<Riding> {
        if self.options.read_only == Some(true) {
            return None;
        }
        ambient::charge()?.ride(self.entry.tenant_id())
    }

    /// On a replica, where it only reads and there is one that may serve it.
    async fn begin_on_replica(&self, method: &EntryMethod, share: Share) -> Result<Option<TenantTx>, Error> {
        if !self.options.may_be_on_replica() {
            return Ok(None);
        }
        let place = Place { pool: &self.pool, share, site: self.site, after: self.after };
        let open = place.begin_on_replica(method, self.options, self.options).await?;
        Ok(open.map(|open| TenantTx { open }))
    }

    async fn one_statement(&self, step: Step<'_>) -> Result<Answer, Error> {
        let mut tx = self.begin().await?;
        tx.open.send(step, Then::Commit).await
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
