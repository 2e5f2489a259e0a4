//! A transaction inside one tenant, over sqlx.

use std::fmt;

use pg_tenant_core::TenantId;

use super::lease::Lease;
use super::open_tx::{Handle, OpenTx, savepoint};
use crate::error::Error;
use crate::tenant::charge::Riding;
use crate::tenant::generation::Generation;
use crate::tenant::impersonation::Impersonation;
use crate::tx::run::Transaction;
use crate::tx::scope::TxScope;

/// A transaction inside one tenant, on a connection it owns. Made by [`begin`](super::TenantHandle::begin).
///
/// `&mut TenantTx` is an [`Executor`](::sqlx::Executor): pass it to `fetch_all`, `execute` and the rest, also of
/// `query!`. It is neither `Acquire` nor `Deref` nor `AsMut`, all of which would hand out the connection beneath.
///
/// Dropping it rolls back; [`commit`](Self::commit) and [`rollback`](Self::rollback) consume it.
pub struct TenantTx {
    open: OpenTx,
    id: TenantId,
}

impl TenantTx {
    pub(super) fn new(lease: Lease, id: TenantId, by: Option<&Impersonation>, riding: Option<Riding>) -> TenantTx {
        let mut open = OpenTx::new(lease, TxScope::Tenant(id));
        (open.by, open.riding) = (by.cloned(), riding);
        TenantTx { open, id }
    }

    /// The tenant's id.
    pub fn tenant_id(&self) -> &TenantId {
        &self.id
    }

    /// Of which generation the tenant was when it was entered: another one after every change of its row, plan or
    /// settings, at no round trip.
    pub fn generation(&self) -> Option<Generation> {
        self.open.lease.generation
    }

    /// Commits, with a probe in the same round trip, because PostgreSQL answers COMMIT of a failed transaction with
    /// success and rolls back.
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
    /// If the future is dropped before it is done, the transaction refuses further calls.
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

    fn into_open(self) -> OpenTx {
        self.open
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
