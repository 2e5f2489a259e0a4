//! Serializable transactions fail with 40001 when they collide: run the whole closure again.
//!
//! `cargo run --example retry -- "host=localhost user=app dbname=shop" acme`

use std::sync::atomic::{AtomicU32, Ordering};

use pg_tenant_client::{IsolationLevel, Retry, TenantPool};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let config = args.next().unwrap_or_else(|| "host=localhost user=app dbname=shop".to_owned());
    let id = args.next().unwrap_or_else(|| "acme".to_owned());

    let pool = TenantPool::builder(config.parse()?).build()?;
    let tenant = pool.tenant(&id).isolation_level(IsolationLevel::Serializable);

    // Runs the closure again only after what is certain not to have committed. What it does outside the database it
    // does again as well, here: counting.
    let attempts = AtomicU32::new(0);
    let count: i64 = tenant
        .retry(Retry::default().attempts(10))
        .transaction(async |tx| {
            attempts.fetch_add(1, Ordering::Relaxed);
            Ok(tx.query_one("select count(*) from pg_class", &[]).await?.get(0))
        })
        .await?;
    println!("{count} relations, at attempt {}", attempts.into_inner());
    Ok(())
}
