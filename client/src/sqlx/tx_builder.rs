//! On whose behalf, and how: between the sqlx pool and the transaction.

use ::sqlx::postgres::{PgQueryResult, PgRow};
use ::sqlx::{Execute, Executor, Postgres, Row};
use pg_tenant_core::Refusal;

use super::lease::Lease;
use super::pool::TenantPool;
use super::quell::Transaction;
use super::tx::TenantTx;
use crate::begin::{BeginOptions, ENTER_SIGNED, Entry, IsolationLevel, Way};
use crate::error::{Error, Kind};
use crate::version;

/// What entering returns beside the id: how to find this transaction from another connection, and the version.
const AND: &str = ", pg_catalog.pg_backend_pid(), extract(epoch from pg_catalog.now())::text, tenant.version()";

/// One tenant on one pool: runs single statements, or begins transactions. Made by
/// [`TenantPool::tenant`](super::TenantPool::tenant).
///
/// Every call fails with `TN002` for an unknown tenant, `TN003` for a suspended one, `TN004` for a malformed id,
/// `TN006` where the role is bound to another tenant, `TN09x` for what is wrong with a token, `3F000` or `42883` ([`Error::is_extension_missing`]) and
/// [`Error::is_version_mismatch`] where the database has not the right extension.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until a query, begin() or run()"]
pub struct TxBuilder {
    pool: TenantPool,
    entry: Entry,
    options: BeginOptions,
}

impl TxBuilder {
    pub(super) fn new(pool: TenantPool, entry: Entry) -> TxBuilder {
        TxBuilder { pool, entry, options: BeginOptions::default() }
    }

    /// Names whom the transaction acts for: the claim `sub` of the token that the pool signs, `tenant.current_actor()` in
    /// SQL. Of no effect where the pool signs none.
    #[cfg(feature = "sign")]
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.entry = self.entry.map(|tenant| tenant.with_actor(actor.into()));
        self
    }

    /// Names their role in the application: the claim `role`, `tenant.current_role()` in SQL. Of no effect where the pool
    /// signs no token.
    #[cfg(feature = "sign")]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.entry = self.entry.map(|tenant| tenant.with_role(role.into()));
        self
    }

    /// Sets the isolation level; the server's `default_transaction_isolation` where it is not set.
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.options.isolation_level = Some(level);
        self
    }

    /// Sets whether the transaction may write; a write in a read-only one is refused with `25006`.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.options.read_only = Some(read_only);
        self
    }

    /// Lets a serializable read-only transaction wait at its beginning so that it cannot fail with `40001` later.
    pub fn deferrable(mut self, deferrable: bool) -> Self {
        self.options.deferrable = Some(deferrable);
        self
    }

    /// Runs one statement in a transaction of its own and returns its rows.
    ///
    /// # Errors
    /// As every call of this type. Nothing was committed then, unless [`Error::is_closed`] at commit.
    pub async fn query<'q, E: Execute<'q, Postgres> + 'q>(&self, query: E) -> Result<Vec<PgRow>, Error> {
        let mut tx = self.begin().await?;
        let rows = (&mut tx).fetch_all(query).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Runs one statement and returns its first row.
    ///
    /// # Errors
    /// As [`query`](Self::query), and where it returns no row: nothing was committed then.
    pub async fn query_one<'q, E: Execute<'q, Postgres> + 'q>(&self, query: E) -> Result<PgRow, Error> {
        let mut tx = self.begin().await?;
        let row = (&mut tx).fetch_one(query).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Runs one statement and returns its first row, if there is one.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_opt<'q, E: Execute<'q, Postgres> + 'q>(&self, query: E) -> Result<Option<PgRow>, Error> {
        let mut tx = self.begin().await?;
        let row = (&mut tx).fetch_optional(query).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Runs one statement and returns how many rows it affected.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute<'q, E: Execute<'q, Postgres> + 'q>(&self, query: E) -> Result<PgQueryResult, Error> {
        let mut tx = self.begin().await?;
        let done = (&mut tx).execute(query).await?;
        tx.commit().await?;
        Ok(done)
    }

    /// Begins a transaction and enters the tenant, in one round trip; with a token in two.
    ///
    /// A connection that turns out broken or dirty is given up and another is taken: nothing was executed yet.
    ///
    /// # Errors
    /// As every call of this type; [`Error::is_timeout`] where no connection became free.
    pub async fn begin(&self) -> Result<TenantTx, Error> {
        let entry = self.entry.way(
            #[cfg(feature = "sign")]
            self.pool.signer.as_ref(),
        )?;
        // Every connection that is there may be of no use, and one more may be made meanwhile. (sqlx's count of idle ones
        // is below zero, which is usize::MAX, while one is taken as another is returned.)
        let mut spare = self.pool.pool.size() as usize + 1;
        let admission = &self.pool.admission;
        let patience = self.pool.pool.options().get_acquire_timeout();
        let permit = admission.admit(self.entry.holder(|token| admission.holder_of(token)), Some(patience)).await?;
        let options = self.options.within(Some(&permit));
        let mut permit = Some(permit);
        loop {
            let mut lease = Lease::new(&self.pool.pool, permit).await?;
            lease.marks.open = true;
            let entered = match &entry {
                Way::In(id) => lease.run(options.enter(id, AND)).await,
                Way::Signed(_, token) => match lease.run(options.begin()).await {
                    Ok(_) => lease.run_with(format!("{ENTER_SIGNED}{AND}{}", options.time_limit()), token).await,
                    Err(error) => Err(error),
                },
            };
            match entered {
                Ok(rows) => {
                    let row = rows.first().ok_or_else(|| Error::new(Kind::Driver, "entering returned nothing"))?;
                    let id = row.try_get::<&str, _>(0)?.parse().map_err(Error::malformed)?;
                    version::check(row.try_get(3)?)?;
                    if let (Way::Signed(_, token), Some(permit)) = (&entry, &mut lease.permit) {
                        permit.learn(token, id);
                    }
                    lease.transaction = Some(Transaction { pid: row.try_get(1)?, start: row.try_get(2)? });
                    return Ok(TenantTx::new(lease, id));
                }
                Err(error) => {
                    let fault = is_the_connections_fault(&error);
                    lease.marks.discard = fault;
                    if !fault || spare == 0 {
                        return Err(Error::from(error).at_entry());
                    }
                    spare -= 1;
                    permit = lease.give_up();
                }
            }
        }
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
        let mut tx = self.begin().await?;
        match work(&mut tx).await {
            Ok(value) => {
                tx.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // The caller hears what went wrong first; a rollback that fails closes the connection, which rolls back.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }
}

/// Whether entering failed because of what the connection carries, or because it is broken, rather than because of the
/// tenant or the database. Only begin and enter were sent, so another may be tried in either case.
fn is_the_connections_fault(error: &::sqlx::Error) -> bool {
    match error {
        ::sqlx::Error::Database(db) => {
            let code = db.code().unwrap_or_default();
            match Refusal::from_code(&code) {
                Some(refusal) => refusal == Refusal::SessionNotPristine,
                None => !matches!(&*code, "3F000" | "42883"),
            }
        }
        ::sqlx::Error::Io(_) | ::sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}
