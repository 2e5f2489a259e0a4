//! A transaction inside one tenant, over sqlx.

use std::fmt;

use ::sqlx::Row;
use pg_tenant_core::TenantId;

use super::lease::Lease;
use crate::begin::{PROBE, is_tenant};
use crate::error::Error;
use crate::lease::Wire;

/// A transaction inside one tenant, on a connection it owns. Made by [`begin`](super::TxBuilder::begin).
///
/// `&mut TenantTx` is an [`Executor`](::sqlx::Executor): pass it to `fetch_all`, `execute` and the rest, also of
/// `query!`. It is neither `Acquire` nor `Deref` nor `AsMut`, all of which would hand out the connection beneath.
///
/// Dropping it rolls back; [`commit`](Self::commit) and [`rollback`](Self::rollback) consume it.
pub struct TenantTx {
    pub(super) lease: Lease,
    id: TenantId,
    /// A savepoint was dropped half-way.
    interrupted: bool,
    savepoints: u32,
}

impl TenantTx {
    pub(super) fn new(lease: Lease, id: TenantId) -> TenantTx {
        TenantTx { lease, id, interrupted: false, savepoints: 0 }
    }

    /// The tenant.
    pub fn tenant_id(&self) -> &TenantId {
        &self.id
    }

    /// Commits, with a probe in the same round trip, because PostgreSQL answers COMMIT of a failed transaction with
    /// success and rolls back.
    ///
    /// # Errors
    /// `25P02` where an earlier statement had failed: nothing was committed. [`Error::is_tenant_lost`] where a statement
    /// had ended the transaction: what ran after it ran without the tenant. Whatever the server finds at commit
    /// (`40001`, `23503` of a deferred constraint, …): nothing was committed. [`Error::is_closed`]: unknown.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.usable()?;
        let rows = match self.lease.run(format!("{PROBE}; commit")).await {
            Ok(rows) => rows,
            Err(error) => {
                let failed = error.as_database_error().is_some_and(|db| db.code().as_deref() == Some("25P02"));
                return Err(if failed { Error::failed(None).with_source(error) } else { error.into() });
            }
        };
        let found = rows.first().and_then(|row| row.try_get::<Option<String>, _>(0).ok()).flatten();
        if !is_tenant(found.as_deref(), &self.id) {
            self.lease.marks.discard = true;
            return Err(Error::tenant_lost(Some(&self.id), found.as_deref()));
        }
        self.lease.marks.open = false;
        Ok(())
    }

    /// Rolls back and waits for it. Dropping the transaction rolls back too, without waiting.
    ///
    /// # Errors
    /// [`Error::is_closed`] where the connection broke: the server rolls back then as well.
    pub async fn rollback(mut self) -> Result<(), Error> {
        self.usable()?;
        self.lease.run("rollback".to_owned()).await?;
        self.lease.marks.open = false;
        Ok(())
    }

    /// Runs a closure inside a savepoint: keeps what it did where it returns `Ok`, undoes it where it returns `Err`, and
    /// the transaction goes on in either case. Savepoints nest.
    ///
    /// A future dropped half-way leaves the transaction refusing further calls.
    ///
    /// # Errors
    /// The closure's. `25P02` where the closure returned `Ok` although a statement in it had failed: it was undone.
    pub async fn savepoint<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E>,
        E: From<Error>,
    {
        self.usable()?;
        self.savepoints += 1;
        let name = format!("pg_tenant_{}", self.savepoints);
        // Set until the end, so that dropping this future at any await leaves it set.
        self.interrupted = true;
        let made = self.lease.run(format!("savepoint {name}")).await;
        let result = match made {
            Ok(_) => {
                let inside = Inside { tx: self };
                inside.tx.interrupted = false;
                let result = work(inside.tx).await;
                drop(inside);
                result
            }
            Err(error) => {
                self.savepoints -= 1;
                self.interrupted = false;
                return Err(Error::from(error).into());
            }
        };
        let ended = match &result {
            Ok(_) => self.lease.run(format!("release {name}")).await.err(),
            Err(_) => None,
        };
        let mut undone = Ok(Vec::new());
        if result.is_err() || ended.is_some() {
            undone = self.lease.run(format!("rollback to {name}; release {name}")).await;
        }
        self.savepoints -= 1;
        self.interrupted = undone.is_err();
        match (result, ended) {
            (Ok(_), Some(error)) => {
                let error = Error::from(error);
                Err(if error.code() == Some("25P02") { Error::undone(None) } else { error }.into())
            }
            (result, _) => result,
        }
    }

    /// Whether a call may follow.
    pub(super) fn usable(&self) -> Result<(), Error> {
        if self.interrupted || self.lease.marks.wire == Wire::Awaiting { Err(Error::interrupted()) } else { Ok(()) }
    }
}

/// The closure of a savepoint is running. Dropped, whether it finished or not, it leaves the transaction refusing until
/// the savepoint has been ended.
struct Inside<'tx> {
    tx: &'tx mut TenantTx,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.tx.interrupted = true;
    }
}

impl fmt::Debug for TenantTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("TenantTx");
        out.field("tenant", &self.id).field("wire", &self.lease.marks.wire);
        out.field("savepoints", &self.savepoints).finish()
    }
}
