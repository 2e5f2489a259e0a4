//! Ways around the crate's promise, each with a loud name.
//!
//! [`system`] works across all tenants, as the server allows it to operators. The other two keep what the server
//! isolates: a connection without a tenant is refused protected tables (`TN001`). What is lost is the client's part:
//! the certainty that no session state and no transaction outlives a checkout. So a connection that was handed out raw
//! is never lent again.

mod builder;
pub(crate) mod reason;
mod system_tx;

use std::fmt;
use std::ops::Deref;

use tokio_postgres::Client;

use crate::error::Error;
use crate::pool::connection::Connection;
use crate::pool::tenant_pool::TenantPool;
use crate::tx::open_tx::Handle;
use crate::tx::tenant_tx::TenantTx;

pub use builder::SystemTxBuilder;
pub use system_tx::SystemTx;

/// Works across all tenants, in the system context. Nothing is sent yet.
///
/// It is read-only unless [`write`](SystemTxBuilder::write) is called. Each entry is audited: `reason` goes to the
/// server's log with the role, and to `tenant.journal` where the transaction can write it; every entry that writes and
/// is committed has a line there. Only members of `tenant_system` may do this. That role is for operators and not for
/// the application, so give them a pool of their own. What the role `tenant_system` may do with a table is up to its
/// grants.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_tenant_client::{TenantPool, danger};
///
/// let operators = TenantPool::builder("host=localhost user=operator dbname=shop".parse()?).max_size(2).build()?;
/// let report = danger::system(&operators, "monthly report")
///     .query("select tenant_id, count(*) from orders group by tenant_id", &[])
///     .await?;
///
/// let repair = danger::system(&operators, "ticket 7: close what is older than a year").write();
/// repair.execute("update orders set open = false where placed < now() - interval '1 year'", &[]).await?;
/// # Ok(()) }
/// ```
#[track_caller]
pub fn system(pool: &TenantPool, reason: impl Into<String>) -> SystemTxBuilder {
    SystemTxBuilder::new(pool.clone(), reason.into())
}

/// Reads across all tenants, for reports: as [`system`], on a [replica](crate::TenantPoolBuilder::replica) of the pool
/// where there is one that may serve it. Nothing is sent yet.
///
/// Give reports a pool of their own, of a login that is a member of `tenant_reader` alone: it reads, and neither writes
/// nor enters tenants. A report sees what was written across tenants through the same pool, and is otherwise as late as
/// the replica is (see [`max_replica_lag`](crate::TenantPoolBuilder::max_replica_lag)).
///
/// Each use is audited: on the primary by a line of `tenant.journal`, where it is committed. A replica can write none,
/// so there the server's log has it, from which `tenant.import_readings` brings it into the journal.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pg_tenant_client::{TenantPool, danger};
///
/// let reports = TenantPool::builder("host=primary user=reporting dbname=shop".parse()?)
///     .replica("host=standby user=reporting dbname=shop".parse()?)
///     .max_size(1)
///     .build()?;
/// let nightly = danger::reporting(&reports, "nightly report")
///     .query("select tenant_id, count(*) from orders group by tenant_id", &[])
///     .await?;
/// # Ok(()) }
/// ```
#[track_caller]
pub fn reporting(pool: &TenantPool, reason: impl Into<String>) -> SystemTxBuilder {
    SystemTxBuilder::new(pool.clone(), reason.into()).reports()
}

/// A connection outside any tenant and outside the pool. Closed when dropped.
pub struct UnscopedConnection(Connection);

impl Deref for UnscopedConnection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0.client
    }
}

impl fmt::Debug for UnscopedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnscopedConnection").finish_non_exhaustive()
    }
}

/// Takes a connection out of the pool for good, without a tenant. Its slot is free at once.
///
/// For work that belongs to no tenant: `LISTEN`, session settings, administration.
///
/// # Errors
/// Those of [`TenantPool::check`].
pub async fn connection_without_tenant(pool: &TenantPool) -> Result<UnscopedConnection, Error> {
    Ok(UnscopedConnection(*pool.take().await?))
}

/// The driver's client beneath a transaction, inside its tenant; begins and enters first where nothing was sent yet.
///
/// Changes of the session end with the transaction, because its connection is closed instead of going back to the pool.
/// Statements run here are not watched: one whose future is dropped may still be running when the transaction's next
/// call begins.
///
/// # Errors
/// Those of the transaction's first statement (see [`TenantTx`]).
pub async fn raw_client(tx: &mut TenantTx) -> Result<&Client, Error> {
    tx.open().raw_client().await
}
