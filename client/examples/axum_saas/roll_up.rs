//! What each tenant has, once a day: counted across tenants by a login that only reads, kept in `daily_usage`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pg_tenant_client::{Error, TenantPool, danger};
use tokio::sync::watch;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after a failure it tries again.
const PAUSE: Duration = Duration::from_secs(60);

const COUNT: &str = "select p.tenant_id, count(distinct p.id), count(t.id)
    from projects p left join tasks t on t.tenant_id = p.tenant_id and t.project = p.id group by 1";
/// The first to come after the end of a day counts it, whoever runs this program besides.
const KEEP: &str = "insert into daily_usage (tenant_id, day, projects, tasks)
    select u.tenant_id, (now() at time zone 'UTC')::date - 1, u.projects, u.tasks
    from unnest($1::text[], $2::bigint[], $3::bigint[]) u (tenant_id, projects, tasks)
    on conflict (tenant_id, day) do nothing";

/// At once and after each midnight, UTC; ends when `stop` is true.
pub async fn run(reports: TenantPool, operators: TenantPool, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let pause = match roll_up(&reports, &operators).await {
            Ok(()) => until_midnight(),
            Err(error) => {
                eprintln!("roll-up: {error}");
                PAUSE
            }
        };
        let _ = tokio::time::timeout(pause, stop.changed()).await;
    }
}

/// Reading and writing are two transactions: the one may run on a replica, and only the other's login writes.
async fn roll_up(reports: &TenantPool, operators: &TenantPool) -> Result<(), Error> {
    let rows = danger::reporting(reports, "nightly roll-up: count").query(COUNT, &[]).await?;
    let tenants: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let projects: Vec<i64> = rows.iter().map(|row| row.get(1)).collect();
    let tasks: Vec<i64> = rows.iter().map(|row| row.get(2)).collect();
    let keep = danger::system(operators, "nightly roll-up: keep").write();
    keep.execute(KEEP, &[&tenants, &projects, &tasks]).await?;
    Ok(())
}

fn until_midnight() -> Duration {
    let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % DAY.as_secs();
    DAY - Duration::from_secs(today)
}
