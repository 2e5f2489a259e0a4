//! The journal, the newest line first. Its details stay in the database: what audited rows say stands in them.

use axum::Extension;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use deadpool_postgres::Transaction;

use super::page::{self, Body, Part};
use super::route::{App, Visitor};
use super::table::{Column, Kind, Table};
use super::tenants::encoded;
use crate::live::{Database, Fault, Look, utc};

const COLUMNS: &[Column] = &[
    ("Line", Kind::Number),
    ("At", Kind::Text),
    ("Action", Kind::Text),
    ("Object", Kind::Text),
    ("Reason", Kind::Text),
    ("Tenant", Kind::Tenant),
    ("Actor", Kind::Text),
    ("Impersonator", Kind::Text),
    ("Role", Kind::Text),
];

#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub struct Wanted {
    tenant: String,
    /// The line before which the page begins.
    before: String,
}

pub async fn show(
    Shared(state): App,
    Extension(visitor): Extension<Visitor>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Fault> {
    let mut connection = state.database.connection().await?;
    let tx = Database::begin(&mut connection, Look::Page).await?;
    let before = wanted.before.parse::<i64>().unwrap_or(i64::MAX).to_string();
    let table = lines(&tx, &wanted.tenant, &before, 50).await?;
    let mut links = Vec::new();
    if let Some(last) = table.rows.get(49) {
        links.push(("Older", format!("/journal?tenant={}&before={}", encoded(&wanted.tenant), last[0])));
    }
    let parts = [
        Part { id: "lines", heading: "Lines", body: Body::Table(table) },
        Part { id: "paging", heading: "More", body: Body::Links(links) },
    ];
    let title = if wanted.tenant.is_empty() { "Journal".to_owned() } else { format!("Journal of {}", wanted.tenant) };
    Ok(page::answer(StatusCode::OK, &state.frame(&visitor, "/journal", title), &parts))
}

/// Of what was done in a tenant or to it, or with an empty id of everything.
pub async fn lines(tx: &Transaction<'_>, tenant: &str, before: &str, at_most: usize) -> Result<Table, Fault> {
    let of = if tenant.is_empty() { "$1 = ''" } else { "(tenant_id = $1 or object = $1)" };
    let sql = format!(
        "select id::text, {}, action, object, reason, tenant_id, actor, impersonator, role::text
        from tenant.journal where id < $2::bigint and {of} order by id desc limit {at_most}",
        utc!("at")
    );
    Table::of(tx, "Lines of the journal, the newest first", COLUMNS, "There is no line.", (&sql, &[tenant, before]))
        .await
}
