//! Ways around the crate's promise, over sqlx: as [`danger`](crate::danger) for the pool over tokio-postgres.

mod builder;
mod system_tx;

use crate::sqlx::pool::TenantPool;

pub use builder::SystemTxBuilder;
pub use system_tx::SystemTx;

/// Works across all tenants, in the system context: read-only unless [`write`](SystemTxBuilder::write) is called,
/// audited with `reason`, for members of `tenant_system`. See [`danger::system`](crate::danger::system). Nothing is
/// sent yet.
///
/// ```no_run
/// # async fn example(operators: pg_tenant_client::sqlx::TenantPool) -> Result<(), Box<dyn std::error::Error>> {
/// use pg_tenant_client::sqlx::danger;
///
/// let report = danger::system(&operators, "monthly report");
/// let rows = report.query("select tenant_id, count(*) from orders group by tenant_id").await?;
/// # Ok(()) }
/// ```
#[track_caller]
pub fn system(pool: &TenantPool, reason: impl Into<String>) -> SystemTxBuilder {
    SystemTxBuilder::new(pool.clone(), reason.into())
}
