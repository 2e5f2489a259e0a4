//! A transaction in the system context, over sqlx.

use std::fmt;

use pg_tenant_core::SystemContext;

use crate::error::Error;
use crate::sqlx::lease::Lease;
use crate::sqlx::open_tx::{Handle, OpenTx, savepoint};
use crate::tx::run::Transaction;
use crate::tx::scope::TxScope;

/// A transaction **across all tenants**, on a connection it owns. Made by
/// [`SystemTxBuilder::begin`](crate::sqlx::danger::SystemTxBuilder::begin).
///
/// `&mut SystemTx` is an [`Executor`](::sqlx::Executor), as [`TenantTx`](crate::sqlx::TenantTx) is, but a type of its
/// own: a function that takes a `TenantTx` cannot be called with it. There is no current tenant: an `INSERT` must name
/// the tenant column.
pub struct SystemTx {
    open: OpenTx,
}

impl SystemTx {
    pub(in crate::sqlx) fn new(lease: Lease, context: SystemContext) -> SystemTx {
        SystemTx { open: OpenTx::new(lease, TxScope::System(context)) }
    }

    /// Commits, with a probe in the same round trip.
    ///
    /// # Errors
    /// Those of [`TenantTx::commit`](crate::sqlx::TenantTx::commit). [`Error::is_tenant_lost`] where a statement had
    /// ended the transaction: what ran after it ran outside the system context.
    pub async fn commit(self) -> Result<(), Error> {
        self.open.commit().await
    }

    /// Rolls back and waits until that is done. The entry's line in `tenant.journal` is rolled back too; the line in
    /// the server's log stays.
    ///
    /// # Errors
    /// [`Error::is_closed`] where the connection broke: the server rolls back in that case too.
    pub async fn rollback(self) -> Result<(), Error> {
        self.open.rollback().await
    }

    /// Runs a closure inside a savepoint, as [`TenantTx::savepoint`](crate::sqlx::TenantTx::savepoint) does.
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
        &mut self.open
    }

    fn into_open(self) -> OpenTx {
        self.open
    }
}

impl Transaction for SystemTx {
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

impl fmt::Debug for SystemTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SystemTx").field(&self.open).finish()
    }
}
