//! Jobs: how many there are, and those whose last attempt has failed. Never what they say.

use axum::Extension;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use deadpool_postgres::Transaction;

use super::page::{self, Body, Part};
use super::route::{App, Visitor};
use super::table::{Column, Kind, Table};
use crate::live::{Database, Fault, Look, utc};

const COUNTS: &[Column] = &[
    ("Tenant", Kind::Tenant),
    ("Lane", Kind::Text),
    ("Kind", Kind::Text),
    ("Ready", Kind::Number),
    ("Scheduled", Kind::Number),
    ("Running", Kind::Number),
    ("Failed", Kind::Number),
    ("Dead", Kind::Number),
    ("Done", Kind::Number),
    ("Oldest ready", Kind::Text),
];

const DEAD: &[Column] = &[
    ("Job", Kind::Number),
    ("Tenant", Kind::Tenant),
    ("Lane", Kind::Text),
    ("Kind", Kind::Text),
    ("Attempts", Kind::Number),
    ("Queued", Kind::Text),
    ("Ended", Kind::Text),
    ("Worker", Kind::Text),
    ("Retry", Kind::Retry),
];

pub async fn show(Shared(state): App, Extension(visitor): Extension<Visitor>) -> Result<Response, Fault> {
    let mut connection = state.database.connection().await?;
    let tx = Database::begin(&mut connection, Look::Page).await?;
    let parts = parts(&tx, "").await?;
    Ok(page::answer(StatusCode::OK, &state.frame(&visitor, "/jobs", "Jobs"), &parts))
}

/// Of one tenant, or with an empty id of all.
pub async fn parts(tx: &Transaction<'_>, tenant: &str) -> Result<[Part; 2], Fault> {
    let sql = concat!(
        "select tenant_id, lane, kind, ready::text, scheduled::text, running::text, failed::text, dead::text, done::text, ",
        utc!("oldest_ready"),
        " from tenant.job_counts where $1 = '' or tenant_id = $1 order by dead desc, ready desc, 1, 2, 3 limit 100",
    );
    let counts = Table::of(
        tx,
        "Jobs by tenant, lane and kind: those with most dead and waiting ones",
        COUNTS,
        "There are no jobs.",
        (sql, &[tenant]),
    )
    .await?;
    let sql = concat!(
        "select id::text, tenant_id, lane, kind, attempt::text, ",
        utc!("created_at"),
        ", ",
        utc!("finished_at"),
        ", worker, id::text from tenant.dead_jobs where $1 = '' or tenant_id = $1 order by finished_at desc, id desc limit 50",
    );
    let dead =
        Table::of(tx, "Jobs whose last attempt has failed, the last 50", DEAD, "None is dead.", (sql, &[tenant]))
            .await?;
    Ok([
        Part { id: "jobs", heading: "Jobs", body: Body::Table(counts) },
        Part { id: "dead", heading: "Dead jobs", body: Body::Table(dead) },
    ])
}
