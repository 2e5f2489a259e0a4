//! `run`, for both drivers and both contexts: a closure in a transaction.

use pg_tenant_core::TenantId;

use crate::error::Error;
use crate::observe::{Call, Whose};
use crate::tenant::impersonation::Impersonation;

/// Something that begins transactions: a tenant's handle, or that of the system context, on a pool of either driver.
pub(crate) trait Begin: Sync {
    type Tx: Transaction;

    /// The tenant, where it is named.
    fn named_tenant(&self) -> Option<&TenantId>;

    /// The grant, where it enters by one.
    fn by(&self) -> Option<&Impersonation> {
        None
    }

    fn begin(&self) -> impl Future<Output = Result<Self::Tx, Error>> + Send;
}

/// A transaction that can be ended.
pub(crate) trait Transaction: Send + Sized {
    fn commit(self) -> impl Future<Output = Result<(), Error>> + Send;

    fn rollback(self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Whether it failed by a conflict, so that the whole may be run again.
    fn serialization_failed(&self) -> bool;
}

/// Commits where the closure returns `Ok`, rolls back where it returns `Err`; watched as one call.
pub(crate) async fn run_once<B, T, E, F>(handle: &B, work: F) -> Result<T, E>
where
    B: Begin,
    F: AsyncFnOnce(&mut B::Tx) -> Result<T, E>,
    E: From<Error>,
{
    let run = async {
        let mut tx = handle.begin().await?;
        match work(&mut tx).await {
            Ok(value) => {
                tx.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // The caller hears what went wrong first; a rollback that fails closes the connection, which rolls
                // back.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    };
    let whose = Whose { tenant: handle.named_tenant(), by: handle.by() };
    Call::of("transaction", whose).watch(run).await
}
