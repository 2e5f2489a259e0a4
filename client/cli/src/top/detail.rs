//! A look into one tenant: its state and limits, who is in it, its jobs. Nothing of what it stores.

use crate::live::{Database, Fault, Look, Rows, text, utc};
use crate::serve::table::is_there;

#[derive(Clone, Default)]
pub struct Detail {
    pub tenant: String,
    pub facts: Rows,
    pub sessions: Rows,
    pub jobs: Rows,
    /// Those that all its sessions share; empty on a server that has none.
    pub limits: Rows,
}

const FACTS: &str = concat!(
    "select f.name, f.value from tenant.tenants t left join tenant.limits_in_force l on l.id = t.id
        left join lateral (select * from tenant.stat_tenants s where s.tenant_id = t.id) s on true
        cross join lateral (values ('State', t.status || ' since ' || ", utc!("t.status_since"), "), ('Plan', t.plan),
            ('Statements, at most', l.statement_timeout_ms || ' ms'), ('Waits for locks, at most', l.lock_timeout_ms || ' ms'),
            ('Idle, at most', l.idle_in_transaction_session_timeout_ms || ' ms'), ('work_mem', l.work_mem_kb || ' kB'),
            ('Transactions', s.transactions || ', ' || s.rollbacks || ' rolled back'),
            ('Waits for locks', s.lock_waits || ' in ' || round(s.lock_wait_ms) || ' ms'),
            ('Waits for admission', s.admission_waits || ' in ' || round(s.admission_wait_ms) || ' ms'),
            ('Refused statements', s.refusals::text)) f (name, value)
        where t.id = $1 and f.value is not null",
);

const SESSIONS: &str =
    "select pid::text, role_name, actor, state, date_trunc('second', now() - transaction_start)::text,
        concat_ws(': ', wait_event_type, wait_event)
    from tenant.activity where tenant_id = $1 order by transaction_start nulls last limit 30";

const JOBS: &str = "select kind, lane, ready::text, running::text, failed::text, dead::text
    from tenant.job_counts where tenant_id = $1 order by 1, 2 limit 20";

const LIMITS: &str = "select name, hard::text, in_use::text, refused::text, source from tenant.limit_state where tenant_id = $1 order by 1";

pub async fn take(database: &Database, tenant: &str) -> Result<Detail, Fault> {
    let mut connection = database.connection().await?;
    let tx = Database::begin(&mut connection, Look::Page).await?;
    let limits =
        if is_there(&tx, "tenant.limit_state").await? { text(&tx, LIMITS, &[tenant]).await? } else { Rows::new() };
    Ok(Detail {
        limits,
        tenant: tenant.to_owned(),
        facts: text(&tx, FACTS, &[tenant]).await?,
        sessions: text(&tx, SESSIONS, &[tenant]).await?,
        jobs: text(&tx, JOBS, &[tenant]).await?,
    })
}
