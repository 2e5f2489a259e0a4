//! While a savepoint is open, its transaction is used through it alone.

use pg_tenant_client::{Error, TenantTx};

async fn pay(tx: &mut TenantTx) -> Result<u64, Error> {
    tx.savepoint(async |_| tx.execute("update orders set paid = true", &[]).await).await
}

fn main() {}
