//! One transaction runs one call at a time.

use pg_tenant_client::{Error, TenantTx};

async fn both(tx: &mut TenantTx) -> Result<(), Error> {
    let first = tx.query("select 1", &[]);
    let second = tx.query("select 2", &[]);
    first.await?;
    second.await?;
    Ok(())
}

fn main() {}
