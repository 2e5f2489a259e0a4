//! The driver's client is reached through `danger` alone.

use pg_tenant_client::TenantTx;
use pg_tenant_client::tokio_postgres::Client;

fn by_deref(tx: &TenantTx) -> &Client {
    tx
}

fn by_field(tx: &TenantTx) -> &Client {
    &tx.open.connection().client
}

fn by_method(tx: &TenantTx) -> &Client {
    tx.client()
}

fn main() {}
