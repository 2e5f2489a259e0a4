//! A pool gives back no `PgPool`.

use pg_tenant_client::sqlx::TenantPool;
use sqlx::PgPool;

fn by_into(pool: TenantPool) -> PgPool {
    pool.into()
}

async fn by_acquire(pool: &TenantPool) {
    let _ = pool.acquire().await;
}

fn by_field(pool: &TenantPool) -> &PgPool {
    &pool.pool
}

fn main() {}
