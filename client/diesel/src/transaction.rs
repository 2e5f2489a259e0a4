//! How diesel's transactions begin and end: the outermost is the client's, those inside are savepoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use diesel::QueryResult;
use diesel::connection::{TransactionDepthChange, TransactionManagerStatus};
use diesel::result::Error as DieselError;
use diesel_async::TransactionManager;

use crate::connection::TenantConnection;

/// diesel's transaction manager of a [`TenantConnection`].
#[derive(Debug)]
pub struct TenantTransactionManager;

/// How deep a connection is in transactions.
#[derive(Debug)]
pub struct State {
    status: TransactionManagerStatus,
    /// The outermost depth at which a future of `transaction` was dropped; undone before the next statement.
    dropped: Arc<AtomicU32>,
}

const NONE: u32 = u32::MAX;

impl Default for State {
    fn default() -> State {
        State { status: TransactionManagerStatus::default(), dropped: Arc::new(AtomicU32::new(NONE)) }
    }
}

impl State {
    fn depth(&self) -> u32 {
        self.status.transaction_depth().ok().flatten().map_or(0, |depth| depth.get())
    }

    fn change(&mut self, change: TransactionDepthChange) -> QueryResult<()> {
        match &mut self.status {
            TransactionManagerStatus::Valid(status) => status.change_transaction_depth(change),
            TransactionManagerStatus::InError => Err(DieselError::BrokenTransactionManager),
        }
    }

    fn set_depth(&mut self, depth: u32) -> QueryResult<()> {
        while self.depth() > depth {
            self.change(TransactionDepthChange::DecreaseDepth)?;
        }
        Ok(())
    }
}

/// The closure of a transaction is running at this depth.
struct Inside(Arc<AtomicU32>, u32);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_min(self.1, Relaxed);
    }
}

impl Inside {
    /// It came to its end.
    fn left(mut self) {
        self.1 = NONE;
    }
}

/// The savepoint around a transaction at this depth, which is at least 2.
fn savepoint(depth: u32) -> String {
    format!("pg_tenant_diesel_{depth}")
}

impl TenantConnection {
    /// Runs a closure in a transaction: commits where it returns `Ok`, rolls back where it returns `Err`, and where the
    /// future is dropped. Inside another it is a savepoint. It comes before `AsyncConnection::transaction`, which
    /// cannot notice that its future was dropped: the transaction stays open then, until the connection is dropped.
    ///
    /// # Errors
    /// The closure's; those of beginning, which include those of entering the tenant; those of commit: a transaction
    /// that failed, or lost its tenant, is not committed.
    pub async fn transaction<R, E, F>(&mut self, work: F) -> Result<R, E>
    where
        F: AsyncFnOnce(&mut TenantConnection) -> Result<R, E>,
        E: From<DieselError>,
    {
        TenantTransactionManager::begin_transaction(self).await?;
        let inside = Inside(Arc::clone(&self.state.dropped), self.state.depth());
        match work(self).await {
            Ok(value) => {
                inside.left();
                TenantTransactionManager::commit_transaction(self).await?;
                Ok(value)
            }
            Err(error) => {
                inside.left();
                TenantTransactionManager::rollback_transaction(self).await?;
                Err(error)
            }
        }
    }

    /// Undoes the transactions whose futures were dropped.
    pub(crate) async fn settle(&mut self) -> QueryResult<()> {
        let dropped = self.state.dropped.swap(NONE, Relaxed);
        if dropped > self.state.depth() {
            return Ok(());
        }
        self.undo(dropped).await
    }

    /// Undoes what the transaction at this depth did, and those inside it, and leaves it.
    async fn undo(&mut self, depth: u32) -> QueryResult<()> {
        self.state.set_depth(depth.saturating_sub(1))?;
        if depth > 1 {
            let name = savepoint(depth);
            return self.run_text(&format!("rollback to savepoint {name}; release savepoint {name}")).await;
        }
        match self.tx.take() {
            // Where a call was dropped half-way it refuses, and its connection rolls back when it is dropped.
            Some(tx) => match tx.rollback().await {
                Err(error) if error.is_interrupted() => Ok(()),
                done => self.tell(done),
            },
            None => Ok(()),
        }
    }
}

impl TransactionManager<TenantConnection> for TenantTransactionManager {
    type TransactionStateData = State;

    async fn begin_transaction(conn: &mut TenantConnection) -> QueryResult<()> {
        conn.settle().await?;
        match conn.state.depth() {
            0 => conn.open().await?,
            depth => conn.run_text(&format!("savepoint {}", savepoint(depth + 1))).await?,
        }
        conn.state.change(TransactionDepthChange::IncreaseDepth)
    }

    async fn rollback_transaction(conn: &mut TenantConnection) -> QueryResult<()> {
        conn.settle().await?;
        match conn.state.depth() {
            0 => Err(DieselError::NotInTransaction),
            depth => conn.undo(depth).await,
        }
    }

    /// The outermost commits with the client's probe: a transaction that failed, or lost its tenant, is an error.
    async fn commit_transaction(conn: &mut TenantConnection) -> QueryResult<()> {
        conn.settle().await?;
        match (conn.state.depth(), conn.tx.take()) {
            (1, Some(tx)) => {
                conn.state.set_depth(0)?;
                let committed = tx.commit().await;
                conn.tell(committed)
            }
            (0, _) | (_, None) => Err(DieselError::NotInTransaction),
            (depth, tx) => {
                conn.tx = tx;
                match conn.run_text(&format!("release savepoint {}", savepoint(depth))).await {
                    Ok(()) => conn.state.change(TransactionDepthChange::DecreaseDepth),
                    // A statement inside had failed: what it did is undone, and those around it go on.
                    Err(error) => {
                        conn.undo(depth).await?;
                        Err(error)
                    }
                }
            }
        }
    }

    fn transaction_manager_status_mut(conn: &mut TenantConnection) -> &mut TransactionManagerStatus {
        &mut conn.state.status
    }
}
