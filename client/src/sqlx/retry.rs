//! Running a transaction again that lost a conflict, over sqlx.

use super::builder::TenantHandle;
use super::tenant_tx::TenantTx;
use crate::error::Error;
use crate::tx::retry::{Retry, run_again};

/// Runs closures in transactions, again where they lose a conflict. Made by [`TenantHandle::retry`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until run()"]
pub struct RetryingTx {
    tenant: TenantHandle,
    retry: Retry,
}

impl TenantHandle {
    /// Lets [`RetryingTx::run`] run a closure again where its transaction lost a conflict.
    pub fn retry(&self, retry: Retry) -> RetryingTx {
        RetryingTx { tenant: self.clone(), retry }
    }
}

impl RetryingTx {
    /// As [`run`](crate::RetryingTx::run) over tokio-postgres.
    ///
    /// # Errors
    /// Those of [`TenantHandle::run`]. After the last attempt, the last one's. [`Error::is_closed`] is never run again:
    /// the commit may have happened.
    pub async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E> + Clone,
        E: From<Error>,
    {
        run_again(&self.tenant, &self.retry, work).await
    }
}
