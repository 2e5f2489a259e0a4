//! A pool is no executor.

use pg_tenant_client::sqlx::TenantPool;

async fn report(pool: &TenantPool) {
    let _ = sqlx::query("select * from orders").fetch_all(pool).await;
}

fn main() {}
