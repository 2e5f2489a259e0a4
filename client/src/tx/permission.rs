//! What the actor of a transaction may do in its tenant.

use crate::error::Error;
use crate::tx::tenant_tx::TenantTx;
use crate::wire::sql::literal;

pub(crate) const CAN: &str = "select tenant.can($1)";
pub(crate) const HAS_ROLE: &str = "select tenant.has_role($1)";

impl TenantTx {
    /// Asks for a permission of the actor's before the next statement, in its round trip. Where the actor has not got
    /// it, that call fails and nothing of it has run ([`Error::is_not_permitted`]).
    ///
    /// ```no_run
    /// # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
    /// let mut tx = pool.tenant("acme").actor("ann").begin().await?;
    /// tx.require("invoice.write");
    /// tx.execute("update invoices set paid = true where id = $1", &[&7i64]).await?;
    /// tx.commit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The next call also fails where no role was ever defined with the permission (`TN145`).
    pub fn require(&mut self, permission: &str) {
        self.open.opening.push_text(format!("select tenant.require({})", literal(permission)));
    }

    /// Whether the actor, as a member of the tenant, has the permission; `false` with no actor.
    ///
    /// # Errors
    /// As [`query`](Self::query); `TN145` where no role was ever defined with the permission.
    pub async fn can(&mut self, permission: &str) -> Result<bool, Error> {
        Ok(self.query_one(CAN, &[&permission]).await?.try_get(0)?)
    }

    /// Whether the actor is a member of the tenant in this role, or in one of at least its rank; `false` with no actor.
    ///
    /// # Errors
    /// As [`query`](Self::query); `TN146` where there is no such role.
    pub async fn has_role(&mut self, role: &str) -> Result<bool, Error> {
        Ok(self.query_one(HAS_ROLE, &[&role]).await?.try_get(0)?)
    }
}
