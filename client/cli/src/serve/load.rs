//! What tenants cost: in the last minutes as drawings, and since their counting began.

use axum::Extension;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use deadpool_postgres::Transaction;

use super::chart::{self, Chart};
use super::page::{self, Body, Part};
use super::route::{App, Visitor};
use super::table::{Column, Kind, NO_STATISTICS, Table, is_there};
use crate::live::{Database, Fault, Look, Span, number, steps, text};

const BUSY: &[Column] = &[
    ("Tenant", Kind::Tenant),
    ("Context", Kind::Text),
    ("Transactions", Kind::Number),
    ("Statements", Kind::Number),
    ("Rows read", Kind::Number),
    ("Rows written", Kind::Number),
    ("Execution ms", Kind::Number),
    ("Share %", Kind::Number),
    ("Ten minutes", Kind::Spark),
];

const SINCE: &[Column] = &[
    ("Tenant", Kind::Tenant),
    ("Context", Kind::Text),
    ("Transactions", Kind::Number),
    ("Rolled back", Kind::Number),
    ("Statements", Kind::Number),
    ("Rows read", Kind::Number),
    ("Rows written", Kind::Number),
    ("WAL bytes", Kind::Number),
    ("Execution ms", Kind::Number),
    ("Processor ms", Kind::Number),
    ("Lock waits", Kind::Number),
    ("Refusals", Kind::Number),
];

const MOST_SINCE: &str = "select tenant_id, context, transactions::text, rollbacks::text,
        (selects + inserts + updates + deletes + other_statements)::text, rows_read::text, rows_written::text, wal_bytes::text,
        round(execution_ms)::text, round(processor_ms)::text, lock_waits::text, refusals::text
    from tenant.stat_tenants order by execution_ms desc, transactions desc limit 20";

pub async fn show(Shared(state): App, Extension(visitor): Extension<Visitor>) -> Result<Response, Fault> {
    let mut connection = state.database.connection().await?;
    let tx = Database::begin(&mut connection, Look::Page).await?;
    let mut parts = Vec::new();
    if is_there(&tx, "tenant.stat_tenants_recent").await? {
        let now = charts(&tx, Span::TenMinutes, None).await?;
        parts.push(Part { id: "now", heading: "The last ten minutes", body: Body::Charts(now) });
        if is_there(&tx, "tenant.stat_tenants_hour").await? {
            let hour = charts(&tx, Span::Hour, None).await?;
            parts.push(Part { id: "hour", heading: "The last hour", body: Body::Charts(hour) });
        }
        parts.push(Part {
            id: "busy",
            heading: "Busiest in the last ten minutes",
            body: Body::Table(busy(&tx).await?),
        });
        let most =
            Table::of(&tx, "The 20 that have cost most", SINCE, "Nothing was counted yet.", (MOST_SINCE, &[])).await?;
        parts.push(Part { id: "since", heading: "Since counting began", body: Body::Table(most) });
    } else {
        parts.push(Part { id: "now", heading: "The last ten minutes", body: Body::Note(NO_STATISTICS.to_owned()) });
    }
    Ok(page::answer(StatusCode::OK, &state.frame(&visitor, "/", "Load"), &parts))
}

/// Of one tenant, or of everything together.
pub async fn charts(tx: &Transaction<'_>, span: Span, tenant: Option<&str>) -> Result<Vec<Chart>, Fault> {
    let steps = steps(tx, span).await?;
    let sql = format!(
        "select extract(epoch from step)::bigint::text, sum(transactions)::text, sum(statements)::text,
            sum(rows_read)::text, sum(rows_written)::text, sum(execution_ms)::text
        from {} where $1 = '' or tenant_id = $1 group by step",
        span.view()
    );
    let rows = text(tx, &sql, &[tenant.unwrap_or_default()]).await?;
    let drawn = [
        ("Transactions", "a second"),
        ("Statements", "a second"),
        ("Rows read", "a second"),
        ("Rows written", "a second"),
        ("Execution time", "ms a second"),
    ];
    let chart = |(i, (title, unit)): (usize, (&'static str, &'static str))| {
        let pairs = rows.iter().map(|row| (number(&row[0]) as i64, number(&row[i + 1])));
        Chart::new(title, unit, &steps.per_second(pairs), (&steps.from, &steps.until))
    };
    Ok(drawn.into_iter().enumerate().map(chart).collect())
}

async fn busy(tx: &Transaction<'_>) -> Result<Table, Fault> {
    let steps = steps(tx, Span::TenMinutes).await?;
    let sql = "select tenant_id, context, sum(transactions)::text, sum(statements)::text, sum(rows_read)::text,
            sum(rows_written)::text, round(sum(execution_ms))::text,
            round((100 * sum(execution_ms) / nullif(sum(sum(execution_ms)) over (), 0))::numeric, 1)::text,
            string_agg(extract(epoch from step)::bigint || ':' || execution_ms, ' ')
        from tenant.stat_tenants_recent group by tenant_id, context order by sum(execution_ms) desc, 1 limit 20";
    let mut table =
        Table::of(tx, "The 20 busiest, by execution time", BUSY, "Nobody did anything in them.", (sql, &[])).await?;
    for list in table.rows.iter_mut().filter_map(|row| row.last_mut()) {
        *list = chart::points(&steps.of_list(list), 120.0, 20.0);
    }
    Ok(table)
}
