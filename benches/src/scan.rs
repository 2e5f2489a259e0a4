//! (b) A sequential scan and an aggregate over a table of which the tenant has most rows, both on one processor:
//! elapsed, and as time of the processor, which holds on a busy machine.

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
    let (of_hand, of_entered) = (Processor::of(&by_hand).await?, Processor::of(&entered).await?);
    of_hand.keep()?;
    of_entered.keep()?;
    entered.run(&format!("begin; select tenant.enter('{}')", tenant())).await;
    for (name, what) in [("scan_count", "count(*)"), ("scan_aggregate", "sum(amount * 2 + id)::bigint")] {
        let protected = format!("select {what} from rows");
        let peer = format!("select {what} from rows where tenant_id = '{}'", tenant());
        let (mut rounds, mut processor) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let (own, other) = if round % 2 == 0 {
                (time(&entered, &of_entered, &protected).await?, time(&by_hand, &of_hand, &peer).await?)
            } else {
                let other = time(&by_hand, &of_hand, &peer).await?;
                (time(&entered, &of_entered, &protected).await?, other)
            };
            anyhow::ensure!(own.2 == other.2, "{name}: {} and {}", own.2, other.2);
            if round > 0 {
                rounds.push((own.0, other.0));
                processor.push((own.1, other.1));
            }
        }
        record.rounds(name, "bypassrls_by_hand", rounds);
        record.rounds(&format!("{name}_processor"), "bypassrls_by_hand", processor);
    }
    entered.run("commit").await;
    Ok(())
}

/// Seconds, seconds of the processor, and the value.
async fn time(session: &Session, processor: &Processor, sql: &str) -> anyhow::Result<(f64, f64, i64)> {
    let (start, used) = (Instant::now(), processor.used()?);
    let value = session.query_one(sql, &[]).await?.get(0);
    Ok((start.elapsed().as_secs_f64(), processor.used()? - used, value))
}
