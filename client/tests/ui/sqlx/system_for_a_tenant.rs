//! What is written for one tenant does not run on all of them.

use pg_tenant_client::Error;
use pg_tenant_client::sqlx::{TenantPool, TenantTx, danger};

async fn close_orders(tx: &mut TenantTx) -> Result<(), Error> {
    sqlx::query("update orders set open = false").execute(tx).await?;
    Ok(())
}

async fn of_all(pool: &TenantPool) -> Result<(), Error> {
    let mut tx = danger::system(pool, "a mistake").write().begin().await?;
    close_orders(&mut tx).await
}

fn main() {}
