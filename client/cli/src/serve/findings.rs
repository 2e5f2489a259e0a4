//! What the doctor finds, why it matters, and what mends it.

use axum::Extension;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;

use super::page::{self, Body, Part};
use super::route::{App, Visitor};
use super::table::{Column, Kind, Table};
use crate::live::{Database, Fault, Look, utc};

const COLUMNS: &[Column] = &[
    ("Code", Kind::Text),
    ("Level", Kind::Text),
    ("Object", Kind::Text),
    ("Problem", Kind::Text),
    ("Why it matters", Kind::Text),
    ("Fix", Kind::Code),
];

const WAIVED: &[Column] =
    &[("Code", Kind::Text), ("Object", Kind::Text), ("Reason", Kind::Text), ("By", Kind::Text), ("Until", Kind::Text)];

pub async fn show(Shared(state): App, Extension(visitor): Extension<Visitor>) -> Result<Response, Fault> {
    let mut connection = state.database.connection().await?;
    let tx = Database::begin(&mut connection, Look::Doctor).await?;
    let sql = "select code, level, object, problem, why, fix from tenant.doctor()";
    let found = Table::of(&tx, "Findings, the gravest first", COLUMNS, "The doctor finds nothing.", (sql, &[])).await?;
    let sql = concat!(
        "select code, object, reason, waived_by::text, ",
        utc!("until"),
        " from tenant.waivers where until > now() order by 1, 2 limit 200"
    );
    let waived = Table::of(&tx, "Findings that are accepted for a time", WAIVED, "None is.", (sql, &[])).await?;
    let parts = [
        Part { id: "found", heading: "Found", body: Body::Table(found) },
        Part { id: "waived", heading: "Waived", body: Body::Table(waived) },
    ];
    Ok(page::answer(StatusCode::OK, &state.frame(&visitor, "/findings", "Findings"), &parts))
}
