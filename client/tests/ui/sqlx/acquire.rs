//! A transaction hands out no connection: not by Acquire, Deref or a field.

use pg_tenant_client::sqlx::TenantTx;
use sqlx::{Acquire, PgConnection};

async fn by_acquire(tx: &mut TenantTx) {
    let _ = tx.acquire().await;
}

async fn by_begin(tx: &mut TenantTx) {
    let _ = Acquire::begin(tx).await;
}

fn by_deref(tx: &mut TenantTx) -> &mut PgConnection {
    &mut **tx
}

fn by_field(tx: TenantTx) {
    let _ = tx.open;
}

fn main() {}
