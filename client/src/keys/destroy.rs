//! The end of a tenant's key.

use tokio_postgres::types::Type;

use super::cache::TenantKeys;
use crate::admin::alone::run_alone;
use crate::error::{Error, Kind};
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::into_id::IntoTenantId;

const STATUS: &str = "select status from tenant.tenants where id = $1";
const FORGET: &str = "select tenant.forget_data_keys($1::text, $2)";

impl TenantKeys {
    /// Destroys the key of a tenant that is purged, at the key service: what it has sealed opens nowhere any more, in
    /// no backup either. Processes that have its data keys cached open it until they let go of them, after at most the
    /// cache's time. The journal tells it. Done again it does nothing.
    ///
    /// The pool's login was granted `tenant_admin`.
    ///
    /// # Errors
    /// The tenant is not `purged`, or there is no reason (no SQLSTATE, nothing was destroyed); `TN002` unknown; those
    /// of the key service: then it is done again.
    pub async fn destroy(&self, operators: &TenantPool, tenant: impl IntoTenantId, reason: &str) -> Result<(), Error> {
        let tenant = tenant.into_tenant_id().map_err(Error::malformed)?;
        let id = tenant.as_str();
        let rows = run_alone(operators, STATUS, &[(&id, Type::TEXT)]).await?;
        let status: Option<String> = rows.first().map(|row| row.try_get(0)).transpose()?;
        if reason.trim().is_empty() || !matches!(status.as_deref(), Some("purged") | None) {
            let why = status.map_or("There is no reason.".into(), |status| format!("The tenant is {status}."));
            return Err(Error::new(Kind::Config, format!("the key of tenant {tenant} is not destroyed"))
                .with_detail(why)
                .with_hint("a tenant that has left is purged: tenant.offboard(id, reason), then tenant.mark_purged(id, reason)"));
        }
        if status.is_some() {
            self.service.destroy(&tenant).await?;
        }
        self.cache.invalidate_all();
        run_alone(operators, FORGET, &[(&id, Type::TEXT), (&reason, Type::TEXT)]).await.map(drop)
    }
}
