//! Who runs the closure commits.

use pg_tenant_client::{Error, TenantPool};

async fn pay(pool: &TenantPool) -> Result<(), Error> {
    pool.tenant("acme")
        .run(async |tx| {
            tx.execute("update orders set paid = true", &[]).await?;
            tx.commit().await
        })
        .await
}

fn main() {}
