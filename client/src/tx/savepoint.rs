//! Savepoints, the same for a tenant's transaction and for one in the system context.

use crate::error::Error;
use crate::tx::tenant_tx::{Refuses, TenantTx};

/// A transaction as the closure of a savepoint gets it.
pub(crate) trait Handle {
    /// What sends its statements.
    fn tx(&mut self) -> &mut TenantTx;
}

impl Handle for TenantTx {
    fn tx(&mut self) -> &mut TenantTx {
        self
    }
}

/// Runs `work` in a savepoint, which travels with its first statement.
pub(crate) async fn savepoint<H, T, E, F>(handle: &mut H, work: F) -> Result<T, E>
where
    H: Handle,
    F: AsyncFnOnce(&mut H) -> Result<T, E>,
    E: From<Error>,
{
    let tx = handle.tx();
    tx.usable()?;
    let mark = tx.lead.len();
    let flights = tx.flights;
    tx.savepoints += 1;
    let name = format!("pg_tenant_{}", tx.savepoints);
    tx.lead.push_str(if mark == 0 { "savepoint " } else { "; savepoint " });
    tx.lead.push_str(&name);

    let mut inside = Inside { handle, finished: false };
    let result = work(inside.handle).await;
    inside.finished = true;
    drop(inside);

    let tx = handle.tx();
    tx.savepoints -= 1;
    if let Err(refused) = tx.usable() {
        return Err(result.err().unwrap_or_else(|| refused.into()));
    }
    if tx.flights == flights {
        // Nothing was sent, so there is nothing to release.
        tx.lead.truncate(mark);
        return result;
    }
    match result {
        Ok(value) => match tx.send_batch(&format!("release {name}")).await {
            Ok(()) => Ok(value),
            Err(error) => {
                let first = tx.first_error.clone();
                tx.undo(&name).await;
                let failed = error.code() == Some("25P02");
                Err(if failed { Error::undone(first.as_deref()) } else { error }.into())
            }
        },
        Err(error) => {
            tx.undo(&name).await;
            Err(error)
        }
    }
}

impl TenantTx {
    /// Undoes a savepoint; a transaction in which that fails refuses further calls.
    async fn undo(&mut self, name: &str) {
        let noted = self.first_error.take();
        if self.send_batch(&format!("rollback to {name}; release {name}")).await.is_err() {
            self.refuses = Some(Refuses::Failed);
            self.first_error = noted.or(self.first_error.take());
        }
    }
}

/// The closure of a savepoint is running. Dropped before it finished, it leaves the transaction refusing.
struct Inside<'tx, H: Handle> {
    handle: &'tx mut H,
    finished: bool,
}

impl<H: Handle> Drop for Inside<'_, H> {
    fn drop(&mut self) {
        if !self.finished {
            self.handle.tx().refuses = Some(Refuses::Interrupted);
        }
    }
}
