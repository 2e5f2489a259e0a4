//! The layer that asks for a permission.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::denied::{Denied, Statuses};
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::identity::Tenant;

/// Whether the actor is a member, and whether it may.
const ASK: &str = "select tenant.current_member_role() is not null, tenant.can($1)";

/// Lets a request through whose actor, as a member of its tenant, has a permission. It stands within a
/// [`TenantLayer`](super::TenantLayer), which proves both. Asks the server with each request, in one round trip, so
/// that a change of a member's role counts from the next one on.
///
/// A request that proves nothing is denied with 401, one of somebody who is no active member with 404, as of a tenant
/// that is not there, and one of a member without the permission with 403.
///
/// ```no_run
/// # #[cfg(feature = "axum")]
/// # fn example(pool: pg_tenant_client::TenantPool, proven: pg_tenant_client::edge::TenantLayer) {
/// use axum::{Router, routing::post};
/// use pg_tenant_client::edge::RequireLayer;
///
/// let app: Router = Router::new()
///     .route("/invoices", post(async || "written"))
///     .layer(RequireLayer::new(pool, "invoice.write"))
///     .layer(proven);
/// # }
/// ```
///
/// It decides what is answered; what is written stays the server's decision: `tenant.require_permission(…)` on the
/// table.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct RequireLayer {
    guard: Arc<Guard>,
}

#[derive(Clone, Debug)]
struct Guard {
    pool: TenantPool,
    permission: String,
    statuses: Statuses,
}

impl RequireLayer {
    /// A layer that asks for this permission with a connection of this pool.
    pub fn new(pool: TenantPool, permission: impl Into<String>) -> RequireLayer {
        let (permission, statuses) = (permission.into(), Statuses::default());
        RequireLayer { guard: Arc::new(Guard { pool, permission, statuses }) }
    }

    /// Sets the HTTP status of requests that are denied for this reason.
    pub fn status(mut self, denied: Denied, status: StatusCode) -> Self {
        Arc::make_mut(&mut self.guard).statuses.set(denied, status);
        self
    }
}

impl Guard {
    async fn ask(&self, tenant: Option<&Tenant>) -> Result<(), Denied> {
        let tenant = tenant.ok_or(Denied::Unproven)?;
        let row = self.pool.tenant(tenant).query_one(ASK, &[&self.permission]).await?;
        let told = |at: usize| row.try_get::<_, bool>(at).map_err(|_| Denied::Unavailable);
        match (told(0)?, told(1)?) {
            (_, true) => Ok(()),
            (true, false) => Err(Denied::NotPermitted),
            (false, false) => Err(Denied::Unknown),
        }
    }
}

impl<S> Layer<S> for RequireLayer {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> RequireService<S> {
        RequireService { guard: Arc::clone(&self.guard), inner }
    }
}

/// A service within a [`RequireLayer`].
#[derive(Clone, Debug)]
pub struct RequireService<S> {
    guard: Arc<Guard>,
    inner: S,
}

impl<S, B, C> Service<Request<B>> for RequireService<S>
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    C: From<String>,
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
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            let tenant = request.extensions().get::<Tenant>().cloned();
            match guard.ask(tenant.as_ref()).await {
                Ok(()) => inner.call(request).await,
                Err(denied) => Ok(guard.statuses.respond(denied)),
            }
        })
    }
}
