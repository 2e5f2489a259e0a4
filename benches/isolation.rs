//! `make bench`: what isolation costs. Fails where results differ, never on timing.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    pg_tenant_benches::run().await
}
