//! What was committed is over.

async fn pay(pool: &pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
    let mut tx = pool.tenant("acme").begin().await?;
    tx.execute("update orders set paid = true", &[]).await?;
    tx.commit().await?;
    tx.execute("update orders set sent = true", &[]).await?;
    Ok(())
}

fn main() {}
