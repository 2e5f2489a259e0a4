//! What was committed is over.

use pg_tenant_client::Error;
use pg_tenant_client::sqlx::TenantPool;

async fn pay(pool: &TenantPool) -> Result<(), Error> {
    let mut tx = pool.tenant("acme").begin().await?;
    tx.commit().await?;
    sqlx::query("update orders set sent = true").execute(&mut tx).await?;
    Ok(())
}

fn main() {}
