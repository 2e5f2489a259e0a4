//! One tenant asks for everything at once, another for one thing: limits by plan, and what a refusal says.
//!
//! `cargo run --example limits -- "host=localhost user=app dbname=shop" acme globex`

use std::time::Duration;

use pg_tenant_client::{Limits, Plans, Rate, TenantPool};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let config = args.next().unwrap_or_else(|| "host=localhost user=app dbname=shop".to_owned());
    let greedy = args.next().unwrap_or_else(|| "acme".to_owned());
    let other = args.next().unwrap_or_else(|| "globex".to_owned());

    // Which plan a tenant has, the application knows; here everybody has the free one.
    let plans = Plans::new(|_| Some("free"))
        .plan("free", Limits::new().connections(2).waiting(20).statement_timeout(Duration::from_secs(5)));
    let pool = TenantPool::builder(config.parse()?).max_size(4).limits(plans.clone()).build()?;

    let calls: Vec<_> = (0..64)
        .map(|_| {
            let tenant = pool.tenant(&greedy);
            tokio::spawn(async move { tenant.query("select pg_sleep(0.05)", &[]).await })
        })
        .collect();
    tokio::task::yield_now().await;

    // Two connections are left to others, and with fewer it would be next in turn.
    pool.tenant(&other).query("select 1", &[]).await?;
    let finished = calls.iter().filter(|call| call.is_finished()).count();
    println!("{other} was answered when {finished} of 64 calls of {greedy} had ended");

    let (mut answered, mut refusal) = (0, None);
    for call in calls {
        match call.await? {
            Ok(_) => answered += 1,
            Err(error) => refusal = Some(error),
        }
    }
    println!("{greedy} had {answered} calls answered, 2 at a time");
    if let Some((limit, wait)) = refusal.as_ref().and_then(|e| Some((e.limit()?, e.retry_after()?))) {
        println!("the rest met the limit \"{limit}\": to be tried again in {} ms", wait.as_millis());
    }

    // A plan changes while the pool runs.
    plans.set("free", Limits::new().rate(Rate::per_minute(1)));
    pool.tenant(&greedy).query("select 1", &[]).await?;
    if let Err(error) = pool.tenant(&greedy).query("select 1", &[]).await {
        println!("{error}");
    }
    Ok(())
}
