//! Running a transaction again that failed by a conflict with another, over sqlx.

use super::builder::TenantHandle;
use super::tenant_tx::TenantTx;
use crate::error::Error;
use crate::tx::retry::{Retry, run_again};

/// Runs a closure in a transaction, and again if that fails by a conflict. Made by [`TenantHandle::retry`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until run()"]
pub struct RetryingTx {
    tenant: TenantHandle,
    retry: Retry,
}

impl TenantHandle {
    /// A handle whose [`run`](RetryingTx::run) runs the closure again if the transaction failed by a conflict.
    pub fn retry(&self, retry: Retry) -> RetryingTx {
        RetryingTx { tenant: self.clone(), retry }
    }
}

impl RetryingTx {
    /// As [`run`](crate::RetryingTx::run) over tokio-postgres.
    ///
    /// # Errors
    /// Those of [`TenantHandle::run`]. After the last attempt, that of this attempt. [`Error::is_closed`] is never run
    /// again: the commit may have happened.
    pub async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, E> + Clone,
        E: From<Error>,
    {
        run_again(&self.tenant, &self.retry, work).await
    }

    /// Runs a closure in a transaction, as [`run`](Self::run) does, whose error is this crate's [`Error`]: so the
    /// closure ends with a plain `Ok(value)`.
    ///
    /// `run` takes whatever error the closure returns. Where that uses `?`, which converts, Rust cannot infer the type
    /// (`E0283`), and the closure ends with `Ok::<_, MyError>(value)`.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub async fn transaction<T, F>(&self, work: F) -> Result<T, Error>
    where
        F: AsyncFnOnce(&mut TenantTx) -> Result<T, Error> + Clone,
    {
        run_again(&self.tenant, &self.retry, work).await
    }
}
