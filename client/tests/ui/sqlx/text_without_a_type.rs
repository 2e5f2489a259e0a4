//! A text does not say what its rows are.

use pg_tenant_client::Error;
use pg_tenant_client::sqlx::TenantPool;

async fn count(pool: &TenantPool) -> Result<i64, Error> {
    pool.tenant("acme").fetch_one("select count(*) from orders").await
}

fn main() {}
