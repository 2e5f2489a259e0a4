//! `run` takes any error, so a closure with `?` says which; `transaction` is for the crate's own.

use pg_tenant_client::{Error, TenantPool};

async fn close(pool: &TenantPool) -> Result<(), Error> {
    pool.tenant("acme")
        .run(async |tx| {
            tx.execute("update orders set open = false", &[]).await?;
            Ok(())
        })
        .await?;
    pool.tenant("acme")
        .transaction(async |tx| {
            tx.execute("update orders set open = false", &[]).await?;
            Ok(())
        })
        .await?;
    Ok(())
}

fn main() {}
