//! What a worker does beside its steps: tops up the pools of ready tenants, and tells how many steps are open.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::types::Type;

use super::steps::Onboarding;
use crate::error::Error;

const PAUSE: Duration = Duration::from_secs(10);
/// Tenants at once, so that the pools of several workers fill side by side.
const AT_MOST: i32 = 10;

pub(super) async fn run(onboarding: Onboarding) -> Infallible {
    loop {
        // Whoever is away now is there the next time.
        let _ = top_up(&onboarding).await;
        #[cfg(feature = "metrics")]
        let _ = tell(&onboarding).await;
        sleep(PAUSE).await;
    }
}

async fn top_up(onboarding: &Onboarding) -> Result<(), Error> {
    onboarding.admin.call("select tenant.top_up_ready_tenants($1)", &[(&AT_MOST, Type::INT4)]).await.map(drop)
}

#[cfg(feature = "metrics")]
async fn tell(onboarding: &Onboarding) -> Result<(), Error> {
    let sql =
        "select coalesce(sum(blocked), 0)::int8, coalesce(sum(waiting), 0)::int8, coalesce(sum(running), 0)::int8,
            coalesce(sum(failed), 0)::int8, coalesce(sum(overdue), 0)::int8,
            coalesce(extract(epoch from max(oldest)), 0)::float8 from tenant.onboarding_state";
    let rows = onboarding.admin.call(sql, &[]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let meter = onboarding.pool.meter();
    for (at, state) in ["blocked", "waiting", "running", "failed", "overdue"].into_iter().enumerate() {
        meter.steps_open(state, row.try_get::<_, i64>(at)?);
    }
    meter.oldest_step(row.try_get(5)?);
    Ok(())
}
