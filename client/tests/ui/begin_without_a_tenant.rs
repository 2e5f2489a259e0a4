//! A pool begins no transaction of its own.

async fn report(pool: &pg_tenant_client::TenantPool) {
    let _ = pool.begin().await;
}

fn main() {}
