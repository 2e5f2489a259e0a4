//! What is written for one tenant does not run on all of them.

use pg_tenant_client::{Error, TenantPool, TenantTx, danger};

async fn close_orders(tx: &mut TenantTx) -> Result<u64, Error> {
    tx.execute("update orders set open = false", &[]).await
}

async fn of_all(pool: &TenantPool) -> Result<(), Error> {
    let mut tx = danger::system(pool, "a mistake").write().begin().await?;
    close_orders(&mut tx).await?;
    danger::system(pool, "a mistake").write().run(async |tx| close_orders(tx).await).await?;
    Ok(())
}

async fn raw(pool: &TenantPool) -> Result<(), Error> {
    let mut tx = danger::system(pool, "a mistake").begin().await?;
    danger::raw_client(&mut tx).await?;
    Ok(())
}

fn main() {}
