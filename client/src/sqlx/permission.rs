//! What the actor of a transaction may do in its tenant.

use super::tenant_tx::TenantTx;
use crate::error::Error;
use crate::tx::permission::{CAN, HAS_ROLE};

impl TenantTx {
    /// Refuses where the actor has not got the permission, in one round trip.
    ///
    /// # Errors
    /// [`Error::is_not_permitted`]; `TN145` where no role was ever defined with the permission.
    pub async fn require(&mut self, permission: &str) -> Result<(), Error> {
        ::sqlx::query("select tenant.require($1)").bind(permission).fetch_one(self).await?;
        Ok(())
    }

    /// Whether the actor, as a member of the tenant, has the permission; `false` with no actor.
    ///
    /// # Errors
    /// `TN145` where no role was ever defined with the permission.
    pub async fn can(&mut self, permission: &str) -> Result<bool, Error> {
        Ok(::sqlx::query_scalar(CAN).bind(permission).fetch_one(self).await?)
    }

    /// Whether the actor is a member of the tenant in this role, or in one of at least its rank; `false` with no actor.
    ///
    /// # Errors
    /// `TN146` where there is no such role.
    pub async fn has_role(&mut self, role: &str) -> Result<bool, Error> {
        Ok(::sqlx::query_scalar(HAS_ROLE).bind(role).fetch_one(self).await?)
    }
}
