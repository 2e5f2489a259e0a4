//! What there is now: tenants, jobs, sessions, findings.

use deadpool_postgres::Transaction;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::live::{Fault, number, text};
use crate::serve::page::STATES;
use crate::serve::table::is_there;

type Labels = [(&'static str, String); 1];

/// A gauge with one label, of rows of the label's value and the number.
fn gauge(registry: &mut Registry, name: &str, help: &str, label: &'static str, rows: &[Vec<String>], all: &[&str]) {
    let family = Family::<Labels, Gauge>::default();
    for value in all {
        family.get_or_create(&[(label, (*value).to_owned())]).set(0);
    }
    for row in rows {
        family.get_or_create(&[(label, row[0].clone())]).set(number(&row[1]) as i64);
    }
    registry.register(name, help, family);
}

pub async fn tenants(tx: &Transaction<'_>, registry: &mut Registry) -> Result<(), Fault> {
    let rows = text(tx, "select status, count(*)::text from tenant.tenants group by 1", &[]).await?;
    gauge(registry, "tenants", "Tenants, by state", "state", &rows, &STATES);
    Ok(())
}

pub async fn jobs(tx: &Transaction<'_>, registry: &mut Registry) -> Result<(), Fault> {
    let sql = "select s.state, s.count::text from (select coalesce(sum(ready), 0) as ready, coalesce(sum(scheduled), 0) as scheduled,
            coalesce(sum(running), 0) as running, coalesce(sum(failed), 0) as failed, coalesce(sum(dead), 0) as dead,
            coalesce(sum(done), 0) as done from tenant.job_counts) j
        cross join lateral (values ('ready', ready), ('scheduled', scheduled), ('running', running), ('failed', failed),
            ('dead', dead), ('done', done)) s (state, count)";
    let rows = text(tx, sql, &[]).await?;
    gauge(registry, "jobs", "Jobs, by state", "state", &rows, &[]);
    let sql = "select coalesce(extract(epoch from now() - min(oldest_ready)), 0)::bigint::text from tenant.job_counts";
    let oldest: Gauge = Gauge::default();
    oldest.set(text(tx, sql, &[]).await?.first().map_or(0, |row| number(&row[0]).max(0.0) as i64));
    registry.register("jobs_oldest_ready_seconds", "For how long the oldest job that can be done has waited", oldest);
    Ok(())
}

/// Whether this server keeps statistics.
pub async fn sessions(tx: &Transaction<'_>, registry: &mut Registry) -> Result<bool, Fault> {
    let counts = is_there(tx, "tenant.stat_tenants").await?;
    let statistics: Gauge = Gauge::default();
    statistics.set(i64::from(counts));
    registry.register("statistics", "Whether the server keeps statistics of tenants", statistics);
    if is_there(tx, "tenant.activity").await? {
        let sql = "select coalesce(state, 'unknown'), count(*)::text from tenant.activity group by 1";
        gauge(registry, "sessions", "Sessions of the database, by state", "state", &text(tx, sql, &[]).await?, &[]);
    }
    Ok(counts)
}

pub fn findings(rows: &[Vec<String>], registry: &mut Registry) {
    gauge(registry, "findings", "Findings of the doctor, by level", "level", rows, &["error", "warn", "info"]);
}
