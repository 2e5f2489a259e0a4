//! What Prometheus reads, in OpenMetrics' text. The number of series has a bound: so many tenants, and the rest as one.

mod counted; // what tenants cost, as counters
mod rest; // tenants that have no series of their own
mod state; // what there is now

use std::time::{Duration, Instant};

use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use deadpool_postgres::Transaction;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use self::rest::Rest;
use super::route::App;
use crate::live::{Database, Fault, Look, Rows, text};

/// How long findings are kept: the doctor takes longer than everything else.
const FINDINGS_EVERY: Duration = Duration::from_secs(300);

pub struct Metrics {
    tenants: u16,
    rest: Mutex<Rest>,
    findings: Mutex<Option<(Instant, Rows)>>,
}

impl Metrics {
    pub fn new(tenants: u16) -> Metrics {
        Metrics { tenants, rest: Mutex::default(), findings: Mutex::default() }
    }

    async fn findings(&self, database: &Database) -> Result<Rows, Fault> {
        let mut kept = self.findings.lock().await;
        if let Some((_, rows)) = kept.as_ref().filter(|(since, _)| since.elapsed() < FINDINGS_EVERY) {
            return Ok(rows.clone());
        }
        let mut connection = database.connection().await?;
        let tx = Database::begin(&mut connection, Look::Doctor).await?;
        let rows = text(&tx, "select level, sum(objects)::text from tenant.doctor() group by level", &[]).await?;
        *kept = Some((Instant::now(), rows.clone()));
        Ok(rows)
    }

    async fn collect(&self, tx: &Transaction<'_>, registry: &mut Registry) -> Result<(), Fault> {
        state::tenants(tx, registry).await?;
        state::jobs(tx, registry).await?;
        if state::sessions(tx, registry).await? {
            counted::contexts(tx, registry).await?;
            counted::tenants(tx, registry, self.tenants, &mut *self.rest.lock().await).await?;
        }
        Ok(())
    }
}

/// Always an answer: where the database does not give one, `pg_tenant_up` is 0.
pub async fn show(Shared(state): App) -> Response {
    let mut registry = Registry::with_prefix("pg_tenant");
    let found = async {
        let mut connection = state.database.connection().await?;
        let tx = Database::begin(&mut connection, Look::Page).await?;
        state.metrics.collect(&tx, &mut registry).await
    };
    let up = match found.await {
        Ok(()) => true,
        Err(fault) => {
            eprintln!("pgtenant serve: /metrics: {fault}");
            false
        }
    };
    if let Ok(findings) = state.metrics.findings(&state.database).await {
        state::findings(&findings, &mut registry);
    }
    let gauge: Gauge = Gauge::default();
    gauge.set(i64::from(up));
    registry.register("up", "Whether the database has answered", gauge);
    let mut body = String::new();
    match encode(&mut body, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
