//! The driver's pool, whose connections have no tenant, is not reached at all.

use pg_tenant_client::TenantPool;

async fn by_method(pool: &TenantPool) {
    let _ = pool.get().await;
}

async fn by_field(pool: &TenantPool) {
    let _ = pool.pool.get().await;
}

fn main() {}
