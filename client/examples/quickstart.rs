//! One tenant's orders: a single statement, a transaction, and what a wrong id says.
//!
//! `cargo run --example quickstart -- "host=localhost user=app dbname=shop" acme`

use pg_tenant_client::TenantPool;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let config = args.next().unwrap_or_else(|| "host=localhost user=app dbname=shop".to_owned());
    let id = args.next().unwrap_or_else(|| "acme".to_owned());

    let pool = TenantPool::builder(config.parse()?).max_size(4).build()?;
    let tenant = pool.tenant(&id);

    // Begin, enter, the statement and commit travel together.
    let row = tenant.query_one("select tenant.current_id()", &[]).await?;
    println!("one statement ran inside {}", row.get::<_, String>(0));

    // Several statements: commit on Ok, roll back on Err.
    let now: String = tenant
        .transaction(async |tx| {
            tx.batch_execute("set local statement_timeout = '5s'").await?;
            Ok(tx.query_one("select now()::text", &[]).await?.get(0))
        })
        .await?;
    println!("a transaction began at {now}");

    match pool.tenant("no such tenant").query("select 1", &[]).await {
        Err(error) if error.is_malformed_id() => println!("refused before anything was sent: {error}"),
        other => println!("unexpected: {other:?}"),
    }
    Ok(())
}
