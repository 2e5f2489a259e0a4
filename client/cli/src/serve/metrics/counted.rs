//! What tenants cost, as counters: sums by context, and those of the tenants with most transactions.

use std::sync::atomic::AtomicU64;

use deadpool_postgres::Transaction;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::rest::{COUNTERS, Rest, Values};
use crate::live::{Fault, number, text};

/// Name, help, and the expression of `tenant.stat_tenants` that is counted, in the order of [`Values`].
const COUNTED: [(&str, &str, &str); COUNTERS] = [
    ("transactions", "Transactions", "transactions"),
    ("rollbacks", "Transactions that were rolled back", "rollbacks"),
    ("statements", "Statements", "selects + inserts + updates + deletes + other_statements"),
    ("rows_read", "Rows read", "rows_read"),
    ("rows_written", "Rows written", "rows_written"),
    ("wal_bytes", "Bytes of WAL", "wal_bytes"),
    ("execution_seconds", "Time of execution", "execution_ms / 1000"),
    ("processor_seconds", "Time on processors", "processor_ms / 1000"),
    ("lock_wait_seconds", "Time of waiting for locks", "lock_wait_ms / 1000"),
    ("refusals", "Statements that were refused", "refusals"),
];

type Labels = Vec<(&'static str, String)>;
type Count = Counter<f64, AtomicU64>;

fn sums() -> String {
    COUNTED.map(|(.., of)| format!("sum({of})::text")).join(", ")
}

fn values(row: &[String]) -> Values {
    std::array::from_fn(|i| row.get(i).map_or(0.0, |value| number(value)))
}

/// Registers the counters, each with these series.
fn register(registry: &mut Registry, prefix: &str, series: &[(Labels, Values)]) {
    for (i, (name, help, _)) in COUNTED.iter().enumerate() {
        let family = Family::<Labels, Count>::default();
        for (labels, values) in series {
            family.get_or_create(labels).inc_by(values[i].max(0.0));
        }
        registry.register(format!("{prefix}_{name}"), *help, family);
    }
}

/// Of `tenant` (all tenants), `system`, `none` and `others`.
pub async fn contexts(tx: &Transaction<'_>, registry: &mut Registry) -> Result<(), Fault> {
    let sql = format!("select context, {} from tenant.stat_tenants group by context order by 1", sums());
    let rows = text(tx, &sql, &[]).await?;
    let series: Vec<_> = rows.iter().map(|row| (vec![("context", row[0].clone())], values(&row[1..]))).collect();
    register(registry, "context", &series);
    Ok(())
}

/// Of so many tenants, those with most transactions, and of the rest: `scope` says which, since a tenant may be called
/// anything.
pub async fn tenants(
    tx: &Transaction<'_>,
    registry: &mut Registry,
    at_most: u16,
    rest: &mut Rest,
) -> Result<(), Fault> {
    let expressions = COUNTED.map(|(.., of)| format!("({of})::text")).join(", ");
    let sql = format!(
        "select tenant_id, {expressions} from tenant.stat_tenants where context = 'tenant'
        order by transactions desc, tenant_id limit {at_most}"
    );
    let top: Vec<_> = text(tx, &sql, &[]).await?.into_iter().map(|row| (row[0].clone(), values(&row[1..]))).collect();
    let sql = format!("select {} from tenant.stat_tenants where context in ('tenant', 'others')", sums());
    let all = text(tx, &sql, &[]).await?.first().map(|row| values(row)).unwrap_or_default();
    let other = rest.advance(all, &top);
    let mut series: Vec<_> =
        top.into_iter().map(|(id, values)| (vec![("scope", "tenant".to_owned()), ("tenant", id)], values)).collect();
    series.push((vec![("scope", "other".to_owned()), ("tenant", String::new())], other));
    register(registry, "tenant", &series);
    Ok(())
}
