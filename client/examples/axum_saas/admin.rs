//! What operators see and do across tenants: in the system context, with a reason that is written down.

use axum::Json;
use axum::extract::{FromRequestParts, Query, State as Of};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use pg_tenant_client::{danger, edge::Proof};
use serde::{Deserialize, Serialize};

use crate::error::{Answer, Refused};
use crate::state::{State, operators};

/// Who is signed in as an operator: by a token for the audience `operators`.
pub struct Operator(String);

impl FromRequestParts<State> for Operator {
    type Rejection = StatusCode;

    async fn from_request_parts(request: &mut Parts, state: &State) -> Result<Operator, StatusCode> {
        let proven = operators(&state.jwks).prove(request).map_err(|_| StatusCode::UNAUTHORIZED)?;
        let operator = proven.as_ref().and_then(|tenant| tenant.actor());
        operator.map(|actor| Operator(actor.to_owned())).ok_or(StatusCode::UNAUTHORIZED)
    }
}

#[derive(Deserialize)]
pub struct Because {
    reason: String,
}

impl Because {
    fn said_by(&self, Operator(who): &Operator) -> Answer<String> {
        let reason = self.reason.trim();
        if reason.is_empty() { Err(Refused::NoReason) } else { Ok(format!("{who}: {reason}")) }
    }
}

#[derive(Serialize)]
pub struct Usage {
    tenant: String,
    projects: i64,
    tasks: i64,
}

/// Reads only: a write would be refused.
pub async fn usage(
    operator: Operator,
    Of(state): Of<State>,
    Query(because): Query<Because>,
) -> Answer<Json<Vec<Usage>>> {
    let sql = "select p.tenant_id, count(distinct p.id), count(t.id)
        from projects p left join tasks t on t.tenant_id = p.tenant_id and t.project = p.id group by 1 order by 1";
    let rows = danger::system(&state.operators, because.said_by(&operator)?).query(sql, &[]).await?;
    let usage = |row: &pg_tenant_client::tokio_postgres::Row| Usage {
        tenant: row.get(0),
        projects: row.get(1),
        tasks: row.get(2),
    };
    Ok(Json(rows.iter().map(usage).collect()))
}

/// Writes, which is asked for, and leaves a line in `tenant.journal`.
pub async fn remove_done(
    operator: Operator,
    headers: HeaderMap,
    Of(state): Of<State>,
    Query(because): Query<Because>,
) -> Answer<Json<u64>> {
    // Twice the word before all tenants are touched.
    if headers.get("x-confirm").is_none_or(|word| word != "all tenants") {
        return Err(Refused::Forbidden);
    }
    let system = danger::system(&state.operators, because.said_by(&operator)?).write();
    Ok(Json(system.execute("delete from tasks where done", &[]).await?))
}
