//! What is written for one tenant does not work on all of them.

use pg_tenant_client::danger::SystemTx;
use pg_tenant_client::{Error, TenantExecutor};

async fn count(db: &mut impl TenantExecutor) -> Result<i64, Error> {
    Ok(db.query_one("select count(*) from orders", &[]).await?.get(0))
}

async fn everybodys(tx: &mut SystemTx) -> Result<i64, Error> {
    count(tx).await
}

fn main() {}
