//! What a worker does beside its jobs: deletes finished ones that are kept no longer, and tells how many are open.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::sleep;

use crate::admin::alone::run_alone;
use crate::pool::tenant_pool::TenantPool;

const PAUSE: Duration = Duration::from_secs(15);

pub(super) async fn run(pool: TenantPool) -> Infallible {
    loop {
        sleep(PAUSE).await;
        // Whoever is away now is there the next time.
        let _ = run_alone(&pool, "select tenant.prune_jobs()", &[]).await;
        #[cfg(feature = "metrics")]
        let _ = tell(&pool).await;
    }
}

#[cfg(feature = "metrics")]
async fn tell(pool: &TenantPool) -> Result<(), crate::Error> {
    let sql =
        "select coalesce(sum(ready), 0)::int8, coalesce(sum(scheduled), 0)::int8, coalesce(sum(running), 0)::int8,
            coalesce(sum(failed), 0)::int8, coalesce(sum(dead), 0)::int8,
            coalesce(extract(epoch from clock_timestamp() - min(oldest_ready)), 0)::float8 from tenant.job_counts";
    let rows = run_alone(pool, sql, &[]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let meter = pool.meter();
    for (at, state) in ["ready", "scheduled", "running", "failed", "dead"].into_iter().enumerate() {
        meter.jobs_open(state, row.try_get::<_, i64>(at)?);
    }
    meter.oldest_job(row.try_get(5)?);
    Ok(())
}
