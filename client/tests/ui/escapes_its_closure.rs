//! The transaction of a closure ends with it.

use pg_tenant_client::{Error, TenantPool, TenantTx};

async fn keep(pool: &TenantPool) -> Result<(), Error> {
    let mut kept: Option<&mut TenantTx> = None;
    pool.tenant("acme")
        .run(async |tx| {
            kept = Some(tx);
            Ok::<_, Error>(())
        })
        .await?;
    kept.unwrap().execute("delete from orders", &[]).await?;
    Ok(())
}

fn main() {}
