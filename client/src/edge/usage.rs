//! The layer that charges each request, and the headers that tell what is left.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::denied::{Denied, Statuses};
use crate::error::Error;
use crate::error::usage::Usage;
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::ambient;
use crate::tenant::charge::Charge;
use crate::tenant::identity::Tenant;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Charges each request an amount of a meter of its tenant's. It stands within a
/// [`TenantLayer`](super::TenantLayer), which proves the tenant.
///
/// The amount is consumed in the round trip that begins the first transaction of the tenant that the service begins,
/// over either driver, and counts with it: where that is rolled back the request has consumed nothing, and a later one
/// takes it along. A service that begins none, or only those that read and say so
/// ([`read_only`](crate::TenantHandle::read_only)), is charged in a round trip of its own, when it is done. Read-only
/// tenants are not charged.
///
/// Above the limit the answer is 429, whatever the service makes of the error, with `Retry-After` and the fields
/// `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-10.
///
/// ```no_run
/// # #[cfg(feature = "axum")]
/// # fn example(pool: pg_tenant_client::TenantPool, proven: pg_tenant_client::edge::TenantLayer) {
/// use axum::{Router, routing::post};
/// use pg_tenant_client::edge::UsageLayer;
///
/// let app: Router = Router::new()
///     .route("/renders", post(async || "rendered"))
///     .layer(UsageLayer::new(pool, "renders"))
///     .layer(proven);
/// # }
/// ```
///
/// A service that works in tasks it spawns begins transactions that are not seen: [`first`](Self::first) charges before
/// it is called.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct UsageLayer {
    price: Arc<Price>,
}

#[derive(Clone, Debug)]
struct Price {
    pool: TenantPool,
    meter: String,
    amount: f64,
    first: bool,
    statuses: Statuses,
}

impl UsageLayer {
    /// A layer that charges 1 of this meter; of its own it asks with a connection of this pool.
    pub fn new(pool: TenantPool, meter: impl Into<String>) -> UsageLayer {
        let (meter, statuses) = (meter.into(), Statuses::default());
        UsageLayer { price: Arc::new(Price { pool, meter, amount: 1.0, first: false, statuses }) }
    }

    /// Charges so much, in the meter's unit, instead of 1.
    pub fn amount(mut self, amount: impl Into<f64>) -> Self {
        Arc::make_mut(&mut self.price).amount = amount.into();
        self
    }

    /// Charges before the service is called, in a round trip of its own, whatever becomes of the request. Every answer
    /// then has the `RateLimit` fields.
    pub fn first(mut self) -> Self {
        Arc::make_mut(&mut self.price).first = true;
        self
    }

    /// Sets the HTTP status of requests that are denied for this reason.
    pub fn status(mut self, denied: Denied, status: StatusCode) -> Self {
        Arc::make_mut(&mut self.price).statuses.set(denied, status);
        self
    }
}

impl Price {
    /// In a transaction of its own; nothing where the tenant is read-only.
    async fn consume(&self, tenant: &Tenant) -> Result<Option<Usage>, Error> {
        let consumed = self.pool.tenant(tenant).run(async |tx| tx.consume(&self.meter, self.amount).await).await;
        match consumed {
            Ok(usage) => Ok(Some(usage)),
            Err(error) if error.is_read_only() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn deny<C: From<String>>(&self, error: Error) -> Response<C> {
        match error.usage() {
            Some(usage) => self.over(&usage),
            None => self.statuses.respond(Denied::from(error)),
        }
    }

    fn over<C: From<String>>(&self, usage: &Usage) -> Response<C> {
        let mut response = self.statuses.respond(Denied::OverQuota);
        tell(response.headers_mut(), usage);
        if let Some(wait) = usage.resets_in {
            response.headers_mut().insert(RETRY_AFTER, seconds(wait).into());
        }
        response
    }
}

/// Whole seconds, rounded up: who waits so long has waited long enough.
fn seconds(wait: std::time::Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The `RateLimit` fields: what is left of which policy, and until when. None where there is no limit.
pub(super) fn tell(headers: &mut HeaderMap, usage: &Usage) {
    let (Some(limit), Some(remaining)) = (usage.limit, usage.remaining) else { return };
    let mut left = format!("\"{}\";r={:.0}", usage.meter, remaining.floor());
    if let Some(wait) = usage.resets_in {
        left += &format!(";t={}", seconds(wait));
    }
    let policy = format!("\"{}\";q={:.0}", usage.meter, limit.floor());
    for (name, text) in [(RATE_LIMIT, left), (POLICY, policy)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    }
}

impl<S> Layer<S> for UsageLayer {
    type Service = UsageService<S>;

    fn layer(&self, inner: S) -> UsageService<S> {
        UsageService { price: Arc::clone(&self.price), inner }
    }
}

/// A service within a [`UsageLayer`].
#[derive(Clone, Debug)]
pub struct UsageService<S> {
    price: Arc<Price>,
    inner: S,
}

impl<S, B, C> Service<Request<B>> for UsageService<S>
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    C: From<String> + Send,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<C>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready is called; the clone has yet to become so.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let price = Arc::clone(&self.price);
        Box::pin(async move {
            let Some(tenant) = request.extensions().get::<Tenant>().cloned() else {
                return Ok(price.statuses.respond(Denied::Unproven));
            };
            if price.first {
                return match price.consume(&tenant).await {
                    Ok(usage) => inner.call(request).await.map(|mut response| {
                        if let Some(usage) = &usage {
                            tell(response.headers_mut(), usage);
                        }
                        response
                    }),
                    Err(error) => Ok(price.deny(error)),
                };
            }
            let charge = Charge::new(*tenant.id(), &price.meter, price.amount);
            let mut response = ambient::scope_charge(Arc::clone(&charge), inner.call(request)).await?;
            if let Some(usage) = charge.refused() {
                return Ok(price.over(&usage));
            }
            if charge.is_untouched() {
                match price.consume(&tenant).await {
                    Ok(Some(usage)) => tell(response.headers_mut(), &usage),
                    Ok(None) => {}
                    Err(error) => return Ok(price.deny(error)),
                }
            }
            Ok(response)
        })
    }
}
