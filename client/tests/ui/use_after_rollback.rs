//! What was rolled back is over.

async fn pay(pool: &pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
    let tx = pool.tenant("acme").begin().await?;
    tx.rollback().await?;
    tx.commit().await
}

fn main() {}
