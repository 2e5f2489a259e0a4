//! What one tenant costs, where the server counts it: its load, its sums, what was refused, who is in it.

use deadpool_postgres::Transaction;

use super::load;
use super::page::{Body, Part};
use super::table::{Column, Kind, NO_STATISTICS, Table, is_there};
use super::tenant::facts;
use crate::live::{Fault, Span, utc};

const COST: &str = concat!(
    "select ",
    utc!("since"),
    ", transactions::text, rollbacks::text, selects::text, inserts::text, updates::text, deletes::text,
        other_statements::text, rows_read::text, rows_written::text, shared_blocks_hit::text, shared_blocks_read::text,
        temp_blocks::text, wal_bytes::text, round(execution_ms)::text, round(processor_ms)::text, lock_waits::text,
        round(lock_wait_ms)::text, admission_waits::text, round(admission_wait_ms)::text, refusals::text, ",
    utc!("last_seen"),
    " from tenant.stat_tenants where tenant_id = $1",
);
const COST_NAMES: [&str; 22] = [
    "Counted since",
    "Transactions",
    "Rolled back",
    "Selects",
    "Inserts",
    "Updates",
    "Deletes",
    "Other statements",
    "Rows read",
    "Rows written",
    "Blocks from memory",
    "Blocks read",
    "Temporary blocks",
    "WAL bytes",
    "Execution ms",
    "Processor ms",
    "Lock waits",
    "Lock wait ms",
    "Admission waits",
    "Admission wait ms",
    "Refusals",
    "Last seen",
];

const REFUSALS: &[Column] = &[("SQLSTATE", Kind::Text), ("Count", Kind::Number)];
const SESSIONS: &[Column] = &[
    ("Process", Kind::Number),
    ("Actor", Kind::Text),
    ("Role", Kind::Text),
    ("Application", Kind::Text),
    ("State", Kind::Text),
    ("In transaction since", Kind::Text),
    ("Waits for", Kind::Text),
];

/// What it costs, where the server says so.
pub async fn parts(tx: &Transaction<'_>, id: &str) -> Result<Vec<Part>, Fault> {
    if !is_there(tx, "tenant.stat_tenants_recent").await? {
        return Ok(vec![Part { id: "load", heading: "Load", body: Body::Note(NO_STATISTICS.to_owned()) }]);
    }
    let mut parts = vec![Part {
        id: "load",
        heading: "Load of the last ten minutes",
        body: Body::Charts(load::charts(tx, Span::TenMinutes, Some(id)).await?),
    }];
    if let Some(facts) = facts(tx, COST, &COST_NAMES, id).await? {
        parts.push(Part { id: "cost", heading: "Cost", body: Body::Facts(facts) });
    }
    let sql =
        "select sqlstate, count::text from tenant.stat_refusals where tenant_id = $1 order by count desc limit 50";
    let refusals =
        Table::of(tx, "Refused statements, by SQLSTATE", REFUSALS, "None was refused.", (sql, &[id])).await?;
    parts.push(Part { id: "refusals", heading: "Refusals", body: Body::Table(refusals) });
    if is_there(tx, "tenant.activity").await? {
        let sql = concat!(
            "select pid::text, actor, role_name, application_name, state, ",
            utc!("transaction_start"),
            ", concat_ws(': ', wait_event_type, wait_event) from tenant.activity where tenant_id = $1 order by transaction_start limit 50"
        );
        let sessions = Table::of(tx, "Sessions that are in it", SESSIONS, "None.", (sql, &[id])).await?;
        parts.push(Part { id: "sessions", heading: "Sessions", body: Body::Table(sessions) });
    }
    Ok(parts)
}
