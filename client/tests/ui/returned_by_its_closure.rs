//! A closure cannot return the transaction it was lent.

use pg_tenant_client::{Error, TenantPool};

async fn keep(pool: &TenantPool) -> Result<(), Error> {
    let tx = pool.tenant("acme").run(async |tx| Ok::<_, Error>(tx)).await?;
    tx.execute("delete from orders", &[]).await?;
    Ok(())
}

fn main() {}
