//! The transaction of a closure ends with it.

use pg_tenant_client::Error;
use pg_tenant_client::sqlx::{TenantPool, TenantTx};

async fn keep(pool: &TenantPool) -> Result<(), Error> {
    let mut kept: Option<&mut TenantTx> = None;
    pool.tenant("acme")
        .run(async |tx| {
            kept = Some(tx);
            Ok::<_, Error>(())
        })
        .await?;
    sqlx::query("delete from orders").execute(kept.unwrap()).await?;
    Ok(())
}

fn main() {}
