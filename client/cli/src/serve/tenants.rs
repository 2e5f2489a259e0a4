//! All tenants, searched and paged.

use axum::Extension;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;

use super::page::{self, Body, Part};
use super::route::{App, Visitor};
use super::table::{Column, Kind, Table};
use crate::live::{Database, Fault, Look, utc};

/// Lines of a page.
const LINES: usize = 50;

const COLUMNS: &[Column] = &[
    ("Tenant", Kind::Tenant),
    ("Name", Kind::Text),
    ("Slug", Kind::Text),
    ("Plan", Kind::Text),
    ("State", Kind::Text),
    ("Since", Kind::Text),
    ("Registered", Kind::Text),
];

#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub struct Search {
    q: String,
    status: String,
    /// After which id the page begins, or before which one it ends.
    after: String,
    before: String,
}

/// One line more than is shown, to know whether there is a next page.
const SQL: &str = concat!(
    "select id, name, slug, plan, status, ", utc!("status_since"), ", ", utc!("created_at"), "
    from tenant.tenants
    where ($1 = '' or strpos(lower(id), lower($1)) > 0 or strpos(lower(slug), lower($1)) > 0 or strpos(lower(name), lower($1)) > 0)
        and ($2 = '' or status = $2) and ",
);

pub async fn show(
    Shared(state): App,
    Extension(visitor): Extension<Visitor>,
    Query(search): Query<Search>,
) -> Result<Response, Fault> {
    let mut connection = state.database.connection().await?;
    let tx = Database::begin(&mut connection, Look::Page).await?;
    let back = !search.before.is_empty();
    let (order, edge) =
        if back { ("id < $3 order by id desc", &search.before) } else { ("id > $3 order by id", &search.after) };
    let sql = format!("{SQL}{order} limit {}", LINES + 1);
    let asked = [search.q.trim(), &search.status, edge];
    let mut table = Table::of(&tx, "Tenants, by id", COLUMNS, "No tenant is like that.", (&sql, &asked)).await?;
    let more = table.rows.len() > LINES;
    table.rows.truncate(LINES);
    if back {
        table.rows.reverse();
    }
    let mut links = Vec::new();
    let link = |name: &str, id: &str| {
        let pairs = [("q", search.q.trim()), ("status", &search.status), (name, id)];
        format!("/tenants?{}", pairs.map(|(name, value)| format!("{name}={}", encoded(value))).join("&"))
    };
    if let Some(first) = table.rows.first().filter(|_| if back { more } else { !search.after.is_empty() }) {
        links.push(("Previous", link("before", &first[0])));
    }
    if let Some(last) = table.rows.last().filter(|_| more || back) {
        links.push(("Next", link("after", &last[0])));
    }
    let parts = [
        Part { id: "search", heading: "Search", body: Body::Search { query: search.q, status: search.status } },
        Part { id: "tenants", heading: "Found", body: Body::Table(table) },
        Part { id: "paging", heading: "More", body: Body::Links(links) },
    ];
    Ok(page::answer(StatusCode::OK, &state.frame(&visitor, "/tenants", "Tenants"), &parts))
}

/// For an address.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
