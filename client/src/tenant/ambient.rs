//! The tenant of the running task, for programs that do not want to pass it through every call. Opt-in: nothing here is
//! set unless [`scope`] (or the layer of the module `edge`) sets it, and passing a [`Tenant`] stays the plain way.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_tenant_client::{Tenant, ambient};
//!
//! let acme: Tenant = "acme".parse()?;
//! ambient::scope(acme, async {
//!     assert_eq!(ambient::current()?.id().as_str(), "acme");
//!     // A plain tokio::spawn starts without a tenant; this one carries it.
//!     let carried = ambient::spawn(async { ambient::current().map(|tenant| *tenant.id()) })?;
//!     assert_eq!(carried.await??.as_str(), "acme");
//!     Ok::<_, Box<dyn std::error::Error>>(())
//! })
//! .await?;
//! assert!(ambient::current().is_err());
//! # Ok(()) }
//! ```
//!
//! It belongs to the task, as a local variable does: another task, a thread and what a library spawns begin with none,
//! and are told so ([`Error::is_no_tenant`]) rather than given somebody's.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::error::Error;
use crate::tenant::charge::Charge;
use crate::tenant::identity::Tenant;
use crate::tenant::request_id::RequestId;

tokio::task_local! {
    static TENANT: Tenant;
    static REQUEST: RequestId;
    static CHARGE: Arc<Charge>;
}

/// Runs a future for a request: handles that are made in it name it to the server, as
/// [`TenantHandle::request_id`](crate::TenantHandle::request_id) does.
pub async fn scope_request<F: Future>(request: RequestId, work: F) -> F::Output {
    REQUEST.scope(request, work).await
}

/// The request that the running task works on; `None` outside of [`scope_request`].
pub fn request_id() -> Option<RequestId> {
    REQUEST.try_with(|request| *request).ok()
}

/// Runs a future for a request that is charged.
#[cfg(feature = "tower")]
pub(crate) async fn scope_charge<F: Future>(charge: Arc<Charge>, work: F) -> F::Output {
    CHARGE.scope(charge, work).await
}

/// What the running task's request is charged for.
pub(crate) fn charge() -> Option<Arc<Charge>> {
    CHARGE.try_with(Arc::clone).ok()
}

/// Runs a future inside a tenant. Scopes nest: the innermost is in force until it ends.
pub async fn scope<F: Future>(tenant: Tenant, work: F) -> F::Output {
    TENANT.scope(tenant, work).await
}

/// Runs a closure inside a tenant, on this thread.
pub fn sync_scope<T>(tenant: Tenant, work: impl FnOnce() -> T) -> T {
    TENANT.sync_scope(tenant, work)
}

/// The tenant of the running task.
///
/// # Errors
/// `TN001` where it has none.
pub fn current() -> Result<Tenant, Error> {
    TENANT.try_with(Clone::clone).map_err(|_| Error::no_ambient_tenant())
}

/// As `tokio::spawn`, but the new task has this one's tenant.
///
/// # Errors
/// `TN001` where this task has none; nothing was spawned.
pub fn spawn<F>(work: F) -> Result<JoinHandle<F::Output>, Error>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Ok(tokio::spawn(TENANT.scope(current()?, work)))
}

/// As `tokio::task::spawn_blocking`, but the closure has this task's tenant.
///
/// # Errors
/// `TN001` where this task has none; nothing was spawned.
pub fn spawn_blocking<F, T>(work: F) -> Result<JoinHandle<T>, Error>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let tenant = current()?;
    Ok(tokio::task::spawn_blocking(move || TENANT.sync_scope(tenant, work)))
}
