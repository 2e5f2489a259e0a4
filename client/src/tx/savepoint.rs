//! Savepoints, the same for a tenant's transaction and for one in the system context.

use crate::error::Error;
use crate::observe::Call;
use crate::tx::open_tx::{Handle, OpenTx};
use crate::wire::preamble::savepoint_name;

/// Runs `work` in a savepoint, which travels with its first statement.
pub(crate) async fn savepoint<H, T, E, F>(handle: &mut H, work: F) -> Result<T, E>
where
    H: Handle,
    F: AsyncFnOnce(&mut H) -> Result<T, E>,
    E: From<Error>,
{
    let call = Call::of("savepoint", handle.open().whose());
    call.watch(run_savepoint(handle, work)).await
}

async fn run_savepoint<H, T, E, F>(handle: &mut H, work: F) -> Result<T, E>
where
    H: Handle,
    F: AsyncFnOnce(&mut H) -> Result<T, E>,
    E: From<Error>,
{
    let depth = handle.open().push_savepoint()?;
    let mut inside = Inside { handle, finished: false };
    let result = work(inside.handle).await;
    inside.finished = true;
    drop(inside);

    let tx = handle.open();
    tx.savepoints -= 1;
    if let Err(refused) = tx.usable() {
        return Err(result.err().unwrap_or_else(|| refused.into()));
    }
    if tx.opening.withdraw_savepoint(depth) {
        return result; // nothing was sent, so there is nothing to release
    }
    match result {
        Ok(value) => tx.release(depth).await.map(|()| value).map_err(E::from),
        Err(error) => {
            tx.undo(depth).await;
            Err(error)
        }
    }
}

impl OpenTx {
    /// Opens a savepoint, which is sent before the next statement.
    fn push_savepoint(&mut self) -> Result<u32, Error> {
        self.usable()?;
        self.savepoints += 1;
        self.opening.push_savepoint(self.savepoints);
        Ok(self.savepoints)
    }

    /// Keeps what was done in a savepoint; undoes it where something in it has failed.
    async fn release(&mut self, depth: u32) -> Result<(), Error> {
        let Err(error) = self.send_batch(&format!("release {}", savepoint_name(depth))).await else { return Ok(()) };
        let first = self.health.first_error().map(str::to_owned);
        self.undo(depth).await;
        Err(if error.code() == Some("25P02") { Error::undone(first.as_deref()) } else { error })
    }

    /// Undoes a savepoint; a transaction in which that fails refuses further calls.
    async fn undo(&mut self, depth: u32) {
        let first = self.health.forget_first_error();
        let name = savepoint_name(depth);
        if self.send_batch(&format!("rollback to {name}; release {name}")).await.is_err() {
            self.health.fail_after(first);
        }
    }
}

/// Marks that the closure of a savepoint is running. Dropped before the closure is done, it makes the transaction
/// refuse further calls.
struct Inside<'tx, H: Handle> {
    handle: &'tx mut H,
    finished: bool,
}

impl<H: Handle> Drop for Inside<'_, H> {
    fn drop(&mut self) {
        if !self.finished {
            self.handle.open().health.interrupt();
        }
    }
}
