//! What is read each time, in one transaction.

use crate::live::{Database, Fault, Look, Span, number, steps, text};

/// How many counters a step has.
pub const SERIES: usize = 6;

/// How many steps make up "now".
const NOW: usize = 6;

#[derive(Clone, Default)]
pub struct Sample {
    /// The server's clock.
    pub clock: String,
    pub tenants: f64,
    /// Sessions, how many are at work, how many wait for a lock.
    pub sessions: [f64; 3],
    /// Jobs that are ready, run, are dead.
    pub jobs: [f64; 3],
    pub lines: Vec<Line>,
}

/// A tenant, or a context without one.
#[derive(Clone, Default)]
pub struct Line {
    pub tenant: String,
    pub context: String,
    pub status: String,
    pub timeout_ms: String,
    pub sessions: f64,
    pub waiting: f64,
    pub dead: f64,
    pub refused: f64,
    /// Per second of each step: transactions, statements, rows read, rows written, ms of execution, ms on processors.
    pub series: [Vec<f64>; SERIES],
}

impl Line {
    /// Per second, over the last minute.
    pub fn now(&self, series: usize) -> f64 {
        let values = &self.series[series];
        values.iter().rev().take(NOW).sum::<f64>() / NOW as f64
    }

    pub fn name(&self) -> String {
        if self.tenant.is_empty() { format!("({})", self.context) } else { self.tenant.clone() }
    }

    /// Its state where it is not active, else its limit on statements.
    pub fn limit(&self) -> String {
        match self.status.as_str() {
            "read_only" => "ro".to_owned(),
            "suspended" => "susp".to_owned(),
            "" | "active" if self.timeout_ms.is_empty() => String::new(),
            "" | "active" => match number(&self.timeout_ms) {
                ms if ms < 1000.0 => format!("{ms}ms"),
                ms => format!("{:.0}s", ms / 1000.0),
            },
            other => other.chars().take(5).collect(),
        }
    }
}

const BUSY: &str = "
    with recent as (
        select tenant_id, context, string_agg(concat_ws(':', extract(epoch from step)::bigint, transactions, statements,
            rows_read, rows_written, execution_ms, processor_ms), ' ') as steps, sum(execution_ms) as busy
        from tenant.stat_tenants_recent group by tenant_id, context
    ), here as (
        select tenant_id, context, count(*) as sessions, count(*) filter (where wait_event_type = 'Lock') as waiting
        from tenant.activity group by tenant_id, context
    ), seen as (
        select coalesce(r.tenant_id, h.tenant_id) as tenant_id, coalesce(r.context, h.context) as context, r.steps, r.busy,
            h.sessions, h.waiting
        from recent r full join here h on (coalesce(h.tenant_id, ''), h.context) = (coalesce(r.tenant_id, ''), r.context)
        order by r.busy desc nulls last limit 500
    )
    select s.tenant_id, s.context, t.status, l.statement_timeout_ms::text, coalesce(s.sessions, 0)::text,
        coalesce(s.waiting, 0)::text, coalesce(j.dead, 0)::text, coalesce(x.refusals, 0)::text, s.steps
    from seen s
    left join tenant.tenants t on t.id = s.tenant_id
    left join tenant.limits_in_force l on l.id = s.tenant_id
    left join (select tenant_id, count(*) as dead from tenant.dead_jobs group by 1) j on j.tenant_id = s.tenant_id
    left join lateral (select refusals from tenant.stat_tenants x where x.tenant_id = s.tenant_id) x on s.tenant_id is not null";

const AROUND: &str = "
    select to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), (select count(*) from tenant.tenants)::text,
        a.sessions::text, a.active::text, a.waiting::text, j.ready::text, j.running::text, j.dead::text
    from (select count(*) as sessions, count(*) filter (where state = 'active') as active,
            count(*) filter (where wait_event_type = 'Lock') as waiting from tenant.activity) a,
        (select coalesce(sum(ready), 0) as ready, coalesce(sum(running), 0) as running, coalesce(sum(dead), 0) as dead
            from tenant.job_counts) j";

/// # Errors
/// No connection, no right, or a server that keeps no statistics.
pub async fn take(database: &Database) -> Result<Sample, Fault> {
    let mut connection = database.connection().await?;
    let tx = Database::begin(&mut connection, Look::Page).await?;
    let there = "select (to_regclass('tenant.stat_tenants_recent') is not null)::text";
    if text(&tx, there, &[]).await?.first().is_none_or(|row| row[0] != "true") {
        return Err(Fault::Refused {
            code: "0A000".to_owned(),
            message: "this server does not keep statistics of tenants".to_owned(),
            hint: "CREATE EXTENSION pg_tenant, or ALTER EXTENSION pg_tenant UPDATE.".to_owned(),
        });
    }
    let steps = steps(&tx, Span::TenMinutes).await?;
    let around = text(&tx, AROUND, &[]).await?.into_iter().next().unwrap_or_default();
    let rows = text(&tx, BUSY, &[]).await?;
    let mut numbers = around.iter().skip(1).map(|value| number(value));
    let mut next = || numbers.next().unwrap_or_default();
    Ok(Sample {
        clock: around.first().cloned().unwrap_or_default(),
        tenants: next(),
        sessions: [next(), next(), next()],
        jobs: [next(), next(), next()],
        lines: rows.into_iter().map(|row| line(row, |pairs| steps.per_second(pairs))).collect(),
    })
}

fn line(row: Vec<String>, per_second: impl Fn(Vec<(i64, f64)>) -> Vec<f64>) -> Line {
    let [tenant, context, status, timeout_ms, sessions, waiting, dead, refused, steps] =
        <[String; 9]>::try_from(row).unwrap_or_default();
    let counted: Vec<Vec<f64>> = steps.split(' ').map(|step| step.split(':').map(number).collect()).collect();
    let series = std::array::from_fn(|i| {
        let pairs = counted.iter().filter_map(|step| Some((*step.first()? as i64, *step.get(i + 1)?)));
        per_second(pairs.collect())
    });
    let [sessions, waiting, dead, refused] = [sessions, waiting, dead, refused].map(|value| number(&value));
    Line { tenant, context, status, timeout_ms, sessions, waiting, dead, refused, series }
}
