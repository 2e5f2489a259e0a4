//! The same over sqlx: `&mut tx` is an executor.
//!
//! `cargo run --features sqlx --example sqlx -- postgres://app@localhost/shop acme`

use pg_tenant_client::sqlx::TenantPool;
use sqlx::postgres::PgPoolOptions;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "postgres://app@localhost/shop".to_owned());
    let id = args.next().unwrap_or_else(|| "acme".to_owned());

    let pool = TenantPool::new(PgPoolOptions::new().max_connections(4), url.parse()?);

    let mut tx = pool.tenant(&id).begin().await?;
    let (tenant,): (String,) = sqlx::query_as("select tenant.current_id()").fetch_one(&mut tx).await?;
    tx.commit().await?;
    println!("a transaction ran inside {tenant}");

    let sum = pool
        .tenant(&id)
        .transaction(async |tx| {
            let sum: i32 = sqlx::query_scalar("select $1 + 1").bind(41).fetch_one(&mut *tx).await?;
            Ok(sum)
        })
        .await?;
    println!("{sum}");
    Ok(())
}
