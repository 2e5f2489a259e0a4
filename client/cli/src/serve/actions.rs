//! What changes something: suspend, resume, read-only, limits, another try of a job. Each has a reason, which goes into
//! the journal with who a proxy says it was.

use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form as Sent};

use super::page;
use super::route::{App, Visitor};
use super::tenants::encoded;
use crate::live::{Database, Fault, Look, text};

/// What the forms send; each uses some of it.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub struct Fields {
    form: String,
    id: String,
    reason: String,
    statement_timeout_ms: String,
    lock_timeout_ms: String,
    idle_ms: String,
    work_mem_kb: String,
    name: String,
    hard: String,
    soft: String,
    burst: String,
}

type Answer = Result<Response, Fault>;

/// The sentence for what was done.
pub fn said(what: &str) -> &'static str {
    match what {
        "suspend" => "The tenant is suspended.",
        "resume" => "The tenant is active.",
        "read-only" => "The tenant is read-only.",
        "limit" => "Its limit is set.",
        "limits" => "Its limits are set.",
        _ => "",
    }
}

pub async fn suspend(state: App, visitor: Extension<Visitor>, headers: HeaderMap, sent: Sent<Fields>) -> Answer {
    of_tenant(state, visitor, headers, sent, "suspend", "select tenant.suspend($1::text, $2)::text").await
}

pub async fn resume(state: App, visitor: Extension<Visitor>, headers: HeaderMap, sent: Sent<Fields>) -> Answer {
    of_tenant(state, visitor, headers, sent, "resume", "select tenant.resume($1::text, $2)::text").await
}

pub async fn read_only(state: App, visitor: Extension<Visitor>, headers: HeaderMap, sent: Sent<Fields>) -> Answer {
    of_tenant(state, visitor, headers, sent, "read-only", "select tenant.set_read_only($1::text, $2)::text").await
}

/// `set_limits` takes no reason: it stands in the journal through `tenant.reason`, as for every change of the registry.
pub async fn limits(state: App, visitor: Extension<Visitor>, headers: HeaderMap, sent: Sent<Fields>) -> Answer {
    let sql = "select tenant.set_limits($1::text, nullif($3, '')::bigint * interval '1 ms', nullif($4, '')::bigint * interval '1 ms',
            nullif($5, '')::bigint * interval '1 ms', nullif($6, '') || 'kB', read_only => t.read_only)::text
        from tenant.tenants t where t.id = $1 and set_config('tenant.reason', $2, true) is not null";
    of_tenant(state, visitor, headers, sent, "limits", sql).await
}

pub async fn limit(state: App, visitor: Extension<Visitor>, headers: HeaderMap, sent: Sent<Fields>) -> Answer {
    let sql = "select case when $4 = '' then tenant.drop_limit($1::text, $3)::text
            else tenant.set_limit($1::text, $3, $4::bigint, nullif($5, '')::bigint, nullif($6, '')::bigint)::text end
        where set_config('tenant.reason', $2, true) is not null";
    of_tenant(state, visitor, headers, sent, "limit", sql).await
}

async fn of_tenant(
    Shared(state): App,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Sent(sent): Sent<Fields>,
    what: &'static str,
    sql: &str,
) -> Answer {
    if let Err(why) = state.forms.check(&visitor.visit, &sent.form, &headers) {
        return Ok(page::sentence(StatusCode::FORBIDDEN, "Not done", why, 0));
    }
    let Some(reason) = reason(&sent, &visitor) else { return Ok(no_reason()) };
    let mut given: Vec<&str> = vec![&sent.id, &reason];
    match what {
        "limits" => given.extend(
            [&*sent.statement_timeout_ms, &sent.lock_timeout_ms, &sent.idle_ms, &sent.work_mem_kb].map(str::trim),
        ),
        "limit" => given.extend([&*sent.name, &sent.hard, &sent.soft, &sent.burst].map(str::trim)),
        _ => {}
    }
    change(&state.database, sql, &given).await?;
    Ok(Redirect::to(&format!("/tenant?id={}&said={what}", encoded(&sent.id))).into_response())
}

pub async fn retry(
    Shared(state): App,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Sent(sent): Sent<Fields>,
) -> Answer {
    if let Err(why) = state.forms.check(&visitor.visit, &sent.form, &headers) {
        return Ok(page::sentence(StatusCode::FORBIDDEN, "Not done", why, 0));
    }
    let Some(reason) = reason(&sent, &visitor) else { return Ok(no_reason()) };
    change(&state.database, "select tenant.retry_job($1::bigint, $2)::text", &[&sent.id, &reason]).await?;
    Ok(Redirect::to("/jobs").into_response())
}

async fn change(database: &Database, sql: &str, given: &[&str]) -> Result<(), Fault> {
    let mut connection = database.connection().await?;
    let tx = Database::begin(&mut connection, Look::Change).await?;
    text(&tx, sql, given).await?;
    Ok(tx.commit().await?)
}

fn reason(sent: &Fields, visitor: &Visitor) -> Option<String> {
    let reason = Some(sent.reason.trim()).filter(|reason| !reason.is_empty())?;
    Some(visitor.who.as_ref().map_or_else(|| reason.to_owned(), |who| format!("{reason} (by {who})")))
}

fn no_reason() -> Response {
    page::sentence(StatusCode::BAD_REQUEST, "Not done", "Say why: the reason goes into the journal.", 0)
}
