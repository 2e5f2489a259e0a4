//! (b) A sequential scan and an aggregate over a table of which the tenant has most rows, both on one processor.

use std::time::Instant;

use pg_tenant_tests::Session;

use crate::processor::Processor;
use crate::report::Record;
use crate::world::{APP, BYPASS, World, tenant};

const ROUNDS: usize = 21;

/// A sequential scan in one process: what is compared is the filter.
const PLAN: &str = "set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off;
    set max_parallel_workers_per_gather = 0";

pub(crate) async fn run(world: &World, record: &mut Record) -> anyhow::Result<()> {
    let by_hand = world.session(BYPASS).await;
    by_hand.run(&format!("{PLAN}; set row_security = off")).await;
    let entered = world.session(APP).await;
    entered.run(PLAN).await;
    for session in [&by_hand, &entered] {
        Processor::of(session).await?.keep()?;
    }
    entered.run(&format!("begin; select tenant.enter('{}')", tenant())).await;
    for (name, what) in [("scan_count", "count(*)"), ("scan_aggregate", "sum(amount * 2 + id)::bigint")] {
        let protected = format!("select {what} from rows");
        let peer = format!("select {what} from rows where tenant_id = '{}'", tenant());
        let mut rounds = Vec::new();
        for round in 0..=ROUNDS {
            let (own, other) = if round % 2 == 0 {
                (time(&entered, &protected).await?, time(&by_hand, &peer).await?)
            } else {
                let other = time(&by_hand, &peer).await?;
                (time(&entered, &protected).await?, other)
            };
            anyhow::ensure!(own.1 == other.1, "{name}: {} and {}", own.1, other.1);
            if round > 0 {
                rounds.push((own.0, other.0));
            }
        }
        record.rounds(name, "bypassrls_by_hand", rounds);
    }
    entered.run("commit").await;
    Ok(())
}

async fn time(session: &Session, sql: &str) -> anyhow::Result<(f64, i64)> {
    let start = Instant::now();
    let value = session.query_one(sql, &[]).await?.get(0);
    Ok((start.elapsed().as_secs_f64(), value))
}
