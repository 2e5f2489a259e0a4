//! Running a transaction again that failed by a conflict with another.

use std::time::Duration;

use crate::error::{Error, Kind};
use crate::tx::builder::TenantHandle;
use crate::tx::run::{Begin, Transaction};
use crate::tx::tenant_tx::TenantTx;
use crate::wire::backoff::random;

/// How often, and after which pauses, a transaction is run again that failed by a conflict (`40001`, `40P01`). By
/// default five attempts in all, with pauses of at most 5, 10, 20 and 40 ms.
///
/// Each pause is a random part of its bound, so that transactions that collided do not collide again. The bound doubles
/// each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "give it to retry()"]
pub struct Retry {
    attempts: u32,
    pause: Duration,
    max_pause: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { attempts: 5, pause: Duration::from_millis(5), max_pause: Duration::from_secs(1) }
    }
}

impl Retry {
    /// How many attempts there are in all, the first included. At least 1, which means that it is not run again.
    pub fn attempts(mut self, attempts: u32) -> Retry {
        self.attempts = attempts;
        self
    }

    /// The longest first pause. This bound doubles with each pause.
    pub fn pause(mut self, pause: Duration) -> Retry {
        self.pause = pause;
        self
    }

    /// The longest pause of all; one second by default.
    pub fn max_pause(mut self, pause: Duration) -> Retry {
        self.max_pause = pause;
        self
    }

    /// Whether another attempt may follow, after waiting for it. `attempt` counts from 1.
    pub(crate) async fn again(&self, attempt: u32) -> bool {
        if attempt >= self.attempts {
            return false;
        }
        tokio::time::sleep(self.bound(attempt).mul_f64(random())).await;
        true
    }

    fn bound(&self, attempt: u32) -> Duration {
        let factor = 2u32.saturating_pow(attempt.saturating_sub(1));
        self.pause.saturating_mul(factor).min(self.max_pause)
    }
}

/// Runs a closure in a transaction, and again if that fails by a conflict. Made by [`TenantHandle::retry`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until run()"]
pub struct RetryingTx {
    tenant: TenantHandle,
    retry: Retry,
}

impl TenantHandle {
    /// A handle whose [`run`](RetryingTx::run) runs the closure again if the transaction failed by a conflict.
    ///
    /// ```no_run
    /// # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
    /// use pg_tenant_client::{IsolationLevel, Retry};
    ///
    /// let open: i64 = pool
    ///     .tenant("acme")
    ///     .isolation_level(IsolationLevel::Serializable)
    ///     .retry(Retry::default().attempts(10))
    ///     .transaction(async |tx| {
    ///         tx.execute("update orders set open = false where id = $1", &[&7i64]).await?;
    ///         Ok(tx.query_one("select count(*) from orders where open", &[]).await?.get(0))
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn retry(&self, retry: Retry) -> RetryingTx {
        RetryingTx { tenant: self.clone(), retry }
    }
}

impl RetryingTx {
    /// Runs a closure in a transaction: commits where it returns `Ok`, rolls back where it returns `Err`. Runs the
    /// whole closure again, in a new transaction, where one of its statements, or the commit, failed with `40001`
    /// (serialization failure) or `40P01` (deadlock).
    ///
    /// What the closure does outside the database happens once for each attempt: send mails and messages after `run`
    /// has returned. Each attempt runs a clone of the closure, so each begins with the same captures.
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

/// Runs a closure in a transaction, again where it lost a conflict. What is run again has certainly not been committed:
/// a statement failed with `40001` or `40P01`, or the commit did. A commit whose answer was lost is not among them.
pub(crate) async fn run_again<B, T, E, F>(handle: &B, retry: &Retry, work: F) -> Result<T, E>
where
    B: Begin,
    F: AsyncFnOnce(&mut B::Tx) -> Result<T, E> + Clone,
    E: From<Error>,
{
    let mut attempt = 1;
    loop {
        let mut tx = handle.begin().await?;
        let (error, conflict) = match work.clone()(&mut tx).await {
            Ok(value) => {
                let failed = tx.serialization_failed();
                match tx.commit().await {
                    Ok(()) => return Ok(value),
                    Err(error) => {
                        let conflict = error.is_retryable() || failed && error.kind() == Kind::Failed;
                        (error.into(), conflict)
                    }
                }
            }
            Err(error) => {
                let failed = tx.serialization_failed();
                // Before the pause: what it holds, others wait for.
                let _ = tx.rollback().await;
                (error, failed)
            }
        };
        if !conflict || !retry.again(attempt).await {
            return Err(error);
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let retry = Retry::default().max_pause(Duration::from_millis(30));
        let bounds: Vec<_> = [1, 2, 3, 4, 40, u32::MAX].iter().map(|n| retry.bound(*n).as_millis()).collect();
        assert_eq!(bounds, [5, 10, 20, 30, 30, 30]);
        let parts: Vec<f64> = (0..100).map(|_| random()).collect();
        assert!(parts.iter().all(|part| (0.0..=1.0).contains(part)));
        assert!(parts.iter().any(|part| *part < 0.5) && parts.iter().any(|part| *part > 0.5));
    }
}
