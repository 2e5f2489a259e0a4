//! A pool runs no statement; only a tenant on it, or the system context, does.

async fn report(pool: &pg_tenant_client::TenantPool) {
    let _ = pool.query("select * from orders", &[]).await;
}

fn main() {}
