//! One tenant: its state and plan, what it costs, its limits, members, usage, jobs, settings and journal.

use axum::Extension;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use deadpool_postgres::Transaction;

use super::page::{self, Body, Part};
use super::route::{App, Visitor};
use super::table::{Column, Kind, Table, is_there};
use super::tenants::encoded;
use super::{actions, asked, cost, jobs, journal};
use crate::live::{Database, Fault, Look, text, utc};

#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub struct Wanted {
    id: String,
    said: String,
}

const STATE: &str = concat!(
    "select id, name, slug, plan, status, ",
    utc!("status_since"),
    ", status_detail, ",
    utc!("purge_after"),
    ", ",
    utc!("created_at"),
    ", ",
    utc!("changed_at"),
    " from tenant.tenants where id = $1",
);
const STATE_NAMES: [&str; 10] =
    ["Id", "Name", "Slug", "Plan", "State", "Since", "Step", "Purged after", "Registered", "Changed"];

const MEMBERS: &[Column] = &[("User", Kind::Text), ("Role", Kind::Text), ("State", Kind::Text), ("Since", Kind::Text)];
const USAGE: &[Column] = &[
    ("Meter", Kind::Text),
    ("Used", Kind::Number),
    ("Unit", Kind::Text),
    ("Soft limit", Kind::Number),
    ("Hard limit", Kind::Number),
    ("Period", Kind::Text),
    ("Resets", Kind::Text),
];
const PAIRS: &[Column] = &[("Name", Kind::Text), ("Value", Kind::Text)];
const SHARED: &[Column] = &[
    ("Limit", Kind::Text),
    ("In use", Kind::Number),
    ("Noted above", Kind::Number),
    ("At most", Kind::Number),
    ("At once", Kind::Number),
    ("From", Kind::Text),
    ("Refused", Kind::Number),
    ("Noted", Kind::Number),
];
pub async fn show(
    Shared(state): App,
    Extension(visitor): Extension<Visitor>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Fault> {
    let id = wanted.id.as_str();
    let mut connection = state.database.connection().await?;
    let tx = Database::begin(&mut connection, Look::Page).await?;
    let Some(facts) = facts(&tx, STATE, &STATE_NAMES, id).await? else {
        return Ok(page::sentence(StatusCode::NOT_FOUND, "No such tenant", "The registry has none with this id.", 0));
    };
    let mut frame = state.frame(&visitor, "/tenants", format!("Tenant {id}"));
    frame.said = actions::said(&wanted.said);
    let mut parts = vec![Part { id: "state", heading: "State", body: Body::Facts(facts) }];
    if state.actions {
        parts.push(Part { id: "actions", heading: "Actions", body: Body::Forms(asked::forms(&tx, id).await?) });
    }
    parts.extend(cost::parts(&tx, id).await?);
    let limits = "select n.key, n.value from tenant.limits_in_force l, json_each_text(row_to_json(l)) n
        where l.id = $1 and n.key not in ('id', 'plan', 'status') and n.value is not null";
    let found = Table::of(&tx, "Limits in force, its own or its plan's", PAIRS, "None.", (limits, &[id])).await?;
    parts.push(Part { id: "limits", heading: "Limits", body: Body::Table(found) });
    if is_there(&tx, "tenant.limit_state").await? {
        let sql =
            "select name, in_use::text, soft::text, hard::text, burst::text, source, refused::text, above_soft::text
            from tenant.limit_state where tenant_id = $1 order by 1";
        let shared = Table::of(&tx, "Limits that all its sessions share", SHARED, "None.", (sql, &[id])).await?;
        parts.push(Part { id: "shared-limits", heading: "Shared limits", body: Body::Table(shared) });
    }
    let sql = concat!(
        "select user_id, role, status, ",
        utc!("added_at"),
        " from tenant.members where tenant_id = $1 order by 1 limit 100"
    );
    let found = Table::of(&tx, "Members, the first 100", MEMBERS, "None.", (sql, &[id])).await?;
    parts.push(Part { id: "members", heading: "Members", body: Body::Table(found) });
    let sql = concat!(
        "select meter, used::text, unit, soft_limit::text, hard_limit::text, period,
        case when isfinite(resets_at) then ",
        utc!("resets_at"),
        " end from tenant.usage_state where tenant_id = $1 order by 1"
    );
    let found = Table::of(&tx, "What it has used in this period", USAGE, "Nothing is metered.", (sql, &[id])).await?;
    parts.push(Part { id: "usage", heading: "Usage", body: Body::Table(found) });
    let [counts, dead] = jobs::parts(&tx, id).await?;
    parts.extend([counts, dead]);
    let sql = "select s.key, s.value from tenant.tenants t, jsonb_each_text(t.settings) s where t.id = $1 order by 1";
    let settings = Table::of(&tx, "Settings of its own", PAIRS, "None.", (sql, &[id])).await?;
    parts.push(Part { id: "settings", heading: "Settings", body: Body::Table(settings) });
    let lines = journal::lines(&tx, id, &i64::MAX.to_string(), 20).await?;
    parts.push(Part { id: "journal", heading: "Journal", body: Body::Table(lines) });
    let all = vec![("All its lines", format!("/journal?tenant={}", encoded(id)))];
    parts.push(Part { id: "more", heading: "More", body: Body::Links(all) });
    Ok(page::answer(StatusCode::OK, &frame, &parts))
}

/// The columns of the one row, by these names.
pub async fn facts(
    tx: &Transaction<'_>,
    sql: &str,
    names: &[&'static str],
    id: &str,
) -> Result<Option<Vec<(&'static str, String)>>, Fault> {
    let rows = text(tx, sql, &[id]).await?;
    Ok(rows.into_iter().next().map(|row| names.iter().copied().zip(row).collect()))
}
