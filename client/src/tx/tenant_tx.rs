//! A transaction inside one tenant.

use std::fmt;

use pg_tenant_core::TenantId;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::error::Error;
use crate::pool::lease::Lease;
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::generation::Generation;
use crate::tx::entry::EntryMethod;
use crate::tx::open_tx::{Handle, OpenTx};
use crate::tx::options::BeginOptions;
use crate::tx::run::Transaction;
use crate::tx::savepoint::savepoint;
use crate::wire::step::{Step, Then, Typed};

/// A transaction inside one tenant, on a connection it owns. Made by [`begin`](crate::TenantHandle::begin).
///
/// Dropping it rolls back; [`commit`](Self::commit) and [`rollback`](Self::rollback) consume it. It gives no access to
/// the connection beneath (see [`danger`](crate::danger) for that).
///
/// A call whose future is dropped before it finished leaves the transaction refusing every further call
/// ([`Error::is_interrupted`]): drop it, and the server is told to stop and roll back.
///
/// The first statement's errors include those of entering the tenant: `TN002` unknown, `TN003` not active, `TN006`
/// bound to another tenant. After an error of the server the transaction has failed: everything but rolling back, or
/// returning from the savepoint around it, fails with `25P02`.
pub struct TenantTx {
    pub(super) open: OpenTx,
}

impl TenantTx {
    pub(super) fn new(pool: TenantPool, lease: Lease, method: EntryMethod, options: &BeginOptions) -> TenantTx {
        TenantTx { open: OpenTx::new(pool, lease, method, options) }
    }

    /// A transaction that makes its tenant with this statement.
    pub(crate) fn creating(
        pool: TenantPool,
        lease: Lease,
        method: EntryMethod,
        options: &BeginOptions,
        create: &str,
    ) -> TenantTx {
        TenantTx { open: OpenTx::creating(pool, lease, method, options, create) }
    }

    /// Begins and enters, with nothing behind it.
    pub(crate) async fn enter(&mut self) -> Result<(), Error> {
        self.open.send_preamble().await
    }

    /// The tenant's id; `None` where a token names the tenant and nothing was sent yet.
    pub fn tenant_id(&self) -> Option<&TenantId> {
        self.open.tenant_id()
    }

    /// Of which generation the tenant was when it was entered: another one after every change of its row, plan or
    /// settings, at no round trip. `None` as long as nothing was sent.
    pub fn generation(&self) -> Option<Generation> {
        self.open.generation
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// The server's; the first statement also fails with those of entering (see [`TenantTx`]).
    pub async fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        self.open.query(sql, params).await
    }

    /// Runs a statement that returns exactly one row.
    ///
    /// # Errors
    /// As [`query`](Self::query), and where it does not return exactly one row; the transaction can go on after that.
    pub async fn query_one(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        self.open.query_one(sql, params).await
    }

    /// Runs a statement that returns one row or none.
    ///
    /// # Errors
    /// As [`query_one`](Self::query_one), where it returns more than one row.
    pub async fn query_opt(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        self.open.query_opt(sql, params).await
    }

    /// Runs a statement and returns how many rows it affected.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        self.open.execute(sql, params).await
    }

    /// As [`query`](Self::query), with the type of each parameter said rather than inferred by the server: for values
    /// that are serialized already, such as an ORM's.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_typed(&mut self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, Error> {
        Ok(self.open.send(Typed::new(params).rows(sql), Then::Stay).await?.rows)
    }

    /// As [`execute`](Self::execute), with the type of each parameter said.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute_typed(&mut self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<u64, Error> {
        Ok(self.open.send(Typed::new(params).count(sql), Then::Stay).await?.affected)
    }

    /// Runs several statements, separated by semicolons, in one round trip and without parameters.
    ///
    /// Never build the text from input: nothing is quoted here.
    ///
    /// # Errors
    /// As [`query`](Self::query), of the first statement that fails; those after it did not run.
    pub async fn batch_execute(&mut self, sql: &str) -> Result<(), Error> {
        self.open.send_batch(sql).await
    }

    /// Runs the last statement and commits, in one round trip.
    ///
    /// # Errors
    /// As [`query`](Self::query) and [`commit`](Self::commit). Nothing was committed then, unless
    /// [`Error::outcome_unknown`].
    pub async fn query_then_commit(self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        Ok(self.open.send_then_commit(Step::rows(sql, params)).await?.rows)
    }

    /// As [`query_then_commit`](Self::query_then_commit), and returns how many rows the statement affected.
    ///
    /// # Errors
    /// As [`query_then_commit`](Self::query_then_commit).
    pub async fn execute_then_commit(self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        Ok(self.open.send_then_commit(Step::count(sql, params)).await?.affected)
    }

    /// Commits. A transaction in which nothing was sent costs nothing.
    ///
    /// A probe travels with COMMIT, because PostgreSQL answers COMMIT of a failed transaction with success and rolls
    /// back.
    ///
    /// # Errors
    /// `25P02` where an earlier statement had failed: nothing was committed. [`Error::is_tenant_lost`] where a
    /// statement had ended the transaction: what ran after it ran without the tenant. Whatever the server finds at
    /// commit (`40001`, `23503` of a deferred constraint, …): nothing was committed. [`Error::is_closed`]: unknown.
    pub async fn commit(self) -> Result<(), Error> {
        self.open.commit().await
    }

    /// Rolls back and waits until that is done. Dropping the transaction rolls back too, without waiting.
    ///
    /// # Errors
    /// [`Error::is_closed`] where the connection broke: the server rolls back in that case too.
    pub async fn rollback(self) -> Result<(), Error> {
        self.open.rollback().await
    }

    /// Runs a closure inside a savepoint: keeps what it did where it returns `Ok`, undoes it where it returns `Err`,
    /// and the transaction goes on in either case. Savepoints nest.
    ///
    /// `SAVEPOINT` travels with the closure's first statement. If the future is dropped before it is done, the
    /// transaction refuses further calls, because it is not known what the savepoint holds.
    ///
    /// # Errors
    /// The closure's. `25P02` where the closure returned `Ok` although a statement in it had failed: it was undone.
    pub async fn savepoint<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
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
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, Error>,
    {
        savepoint(self, work).await
    }
}

impl Handle for TenantTx {
    fn open(&mut self) -> &mut OpenTx {
        &mut self.open
    }
}

impl Transaction for TenantTx {
    fn commit(self) -> impl Future<Output = Result<(), Error>> + Send {
        self.open.commit()
    }

    fn rollback(self) -> impl Future<Output = Result<(), Error>> + Send {
        self.open.rollback()
    }

    fn serialization_failed(&self) -> bool {
        self.open.serialization_failed()
    }
}

impl fmt::Debug for TenantTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TenantTx").field(&self.open).finish()
    }
}
