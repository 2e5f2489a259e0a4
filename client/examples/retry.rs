//! Serializable transactions fail with 40001 when they collide: run the whole closure again.
//!
//! `cargo run --example retry -- "host=localhost user=app dbname=shop" acme`

use pg_tenant_client::{Error, IsolationLevel, TenantPool};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let config = args.next().unwrap_or_else(|| "host=localhost user=app dbname=shop".to_owned());
    let id = args.next().unwrap_or_else(|| "acme".to_owned());

    let pool = TenantPool::builder(config.parse()?).build()?;
    let tenant = pool.tenant(&id).isolation_level(IsolationLevel::Serializable);

    for attempt in 1.. {
        let outcome: Result<i64, Error> =
            tenant.run(async |tx| Ok(tx.query_one("select count(*) from pg_class", &[]).await?.get(0))).await;
        match outcome {
            Ok(count) => {
                println!("{count} relations, at attempt {attempt}");
                break;
            }
            // Only what is certain not to have committed is run again.
            Err(error) if error.is_retryable() && attempt < 5 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
