//! The webhook: verified, kept, and then answered.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use tokio_postgres::types::{ToSql, Type};

use super::event::BillingEvent;
use super::provider::BillingProvider;
use crate::admin::alone::run_alone;
use crate::error::Error;
use crate::pool::tenant_pool::TenantPool;

/// An event of a provider's is far shorter.
const LONGEST: usize = 256 * 1024;
const APPLY: &str = "select tenant.apply_billing_event($1, $2, to_timestamp($3), $4, $5::text::jsonb)";

/// The route that a provider calls. Cloning shares it.
pub struct Webhook<P> {
    inner: Arc<Inner<P>>,
}

struct Inner<P> {
    pool: TenantPool,
    provider: P,
}

impl<P: BillingProvider> Webhook<P> {
    /// On a pool whose login was granted `tenant_billing`, and nothing else.
    pub fn new(pool: TenantPool, provider: P) -> Webhook<P> {
        Webhook { inner: Arc::new(Inner { pool, provider }) }
    }

    /// A router with one route, for POST of at most 256 kB. It answers:
    ///
    /// | | |
    /// |---|---|
    /// | 200 | the event is committed: `applied`, `ignored`, `unmatched` or `duplicate` |
    /// | 400 | the provider has not sent it, or the server cannot read it (`TN175`): nothing happened |
    /// | 409 | another event of this id came before (`TN177`) |
    /// | 503 | the server is away, or nobody knows: to be sent again |
    pub fn router(self, path: &str) -> Router {
        let answer = async |State(webhook): State<Webhook<P>>, headers: HeaderMap, body: Bytes| {
            webhook.answer(&headers, &body).await
        };
        Router::new().route(path, post(answer)).layer(DefaultBodyLimit::max(LONGEST)).with_state(self)
    }

    async fn answer(&self, headers: &HeaderMap, body: &[u8]) -> Response {
        let Inner { pool, provider } = &*self.inner;
        let event = match provider.verify(headers, body, SystemTime::now()) {
            Ok(event) => event,
            Err(why) => {
                tracing::warn!(target: "pg_tenant_client", provider = provider.name(), %why, "a webhook was refused");
                return (StatusCode::BAD_REQUEST, why.to_string()).into_response();
            }
        };
        match apply(pool, provider.name(), &event).await {
            Ok(outcome) => (StatusCode::OK, outcome).into_response(),
            Err(error) => {
                let code = error.code();
                tracing::warn!(target: "pg_tenant_client", provider = provider.name(), code, "an event was not kept");
                let status = match code {
                    Some("TN175") => StatusCode::BAD_REQUEST,
                    Some("TN177") => StatusCode::CONFLICT,
                    _ => StatusCode::SERVICE_UNAVAILABLE,
                };
                status.into_response()
            }
        }
    }
}

async fn apply(pool: &TenantPool, provider: &str, event: &BillingEvent) -> Result<String, Error> {
    let seconds = event.occurred_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let payload = event.payload.to_string();
    let params: [(&(dyn ToSql + Sync), Type); 5] = [
        (&provider, Type::TEXT),
        (&event.id, Type::TEXT),
        (&seconds, Type::FLOAT8),
        (&event.kind, Type::TEXT),
        (&payload, Type::TEXT),
    ];
    let rows = run_alone(pool, APPLY, &params).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

impl<P> Clone for Webhook<P> {
    fn clone(&self) -> Self {
        Webhook { inner: Arc::clone(&self.inner) }
    }
}

impl<P> fmt::Debug for Webhook<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}
