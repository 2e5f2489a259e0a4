//! The layer that passes a request on with its tenant, or denies it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderName, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::denied::{Denied, Statuses};
use super::named_tenant::NamedTenant;
use super::proof::{AsyncProof, DynProof};
use super::resolve::Resolver;
use super::source::Source;
use crate::registry::Directory;
use crate::tenant::ambient;

/// Lets a request through that names and proves an active tenant, with its [`Tenant`](crate::Tenant) and
/// `Arc<`[`TenantRecord`](crate::directory::TenantRecord)`>` among its extensions.
///
/// ```no_run
/// # fn example(pool: pg_tenant_client::TenantPool, jwks: &[u8]) -> Result<(), pg_tenant_client::Error> {
/// use pg_tenant_client::{TokenVerifier, directory::Directory, edge::{Source, TenantLayer}};
///
/// let layer = TenantLayer::new(Directory::new(pool), TokenVerifier::new(jwks)?.audience("shop"))
///     .source(Source::subdomain("example.com").required());
/// # Ok(()) }
/// ```
///
/// A slug is looked up only for a request that proves a tenant. The slug of no tenant is then answered with 404, that
/// of another tenant with 403. Where users must not learn which slugs exist, give both the same status:
/// `.status(Denied::Mismatch, StatusCode::NOT_FOUND)`.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct TenantLayer {
    resolver: Arc<Resolver>,
}

impl TenantLayer {
    /// A layer that takes the tenant from `proof` and looks it up in `directory`.
    pub fn new(directory: Directory, proof: impl AsyncProof) -> TenantLayer {
        let (proofs, sources): (Vec<Arc<dyn DynProof>>, _) = (vec![Arc::new(proof)], Vec::new());
        let (statuses, ambient, unproven) = (Statuses::default(), false, false);
        let resolver = Resolver { directory, proofs, sources, statuses, ambient, unproven, request_id: None };
        TenantLayer { resolver: Arc::new(resolver) }
    }

    /// Adds another way to prove a tenant. A request needs one proof; if it has several, they must agree.
    pub fn proof(mut self, proof: impl AsyncProof) -> Self {
        self.change().proofs.push(Arc::new(proof));
        self
    }

    /// Adds a place where requests name their tenant. Each name that is present must be that of the proven tenant.
    pub fn source(mut self, source: Source) -> Self {
        self.change().sources.push(source);
        self
    }

    /// Sets the HTTP status of requests that are denied for this reason.
    pub fn status(mut self, denied: Denied, status: StatusCode) -> Self {
        self.change().statuses.set(denied, status);
        self
    }

    /// Also runs the service within [`ambient::scope`]. A response body that is produced while it is sent runs outside
    /// of the scope.
    pub fn ambient(mut self) -> Self {
        self.change().ambient = true;
        self
    }

    /// Names each request to the server by this header, such as `x-request-id`: handles that the service makes have it
    /// as their [`request_id`](crate::TenantHandle::request_id). Whoever sends the request may choose it; a value that
    /// is no [`RequestId`](crate::RequestId) is left out.
    pub fn request_id(mut self, header: HeaderName) -> Self {
        self.change().request_id = Some(header);
        self
    }

    fn change(&mut self) -> &mut Resolver {
        Arc::make_mut(&mut self.resolver)
    }
}

impl<S> Layer<S> for TenantLayer {
    type Service = TenantService<S>;

    fn layer(&self, inner: S) -> TenantService<S> {
        TenantService { resolver: Arc::clone(&self.resolver), inner }
    }
}

/// A service within a [`TenantLayer`] or a [`NamedTenantLayer`](super::NamedTenantLayer).
#[derive(Clone, Debug)]
pub struct TenantService<S> {
    pub(super) resolver: Arc<Resolver>,
    pub(super) inner: S,
}

impl<S, B, C> Service<Request<B>> for TenantService<S>
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
        let resolver = Arc::clone(&self.resolver);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if resolver.unproven {
                return match resolver.resolve_named(&parts).await {
                    Ok(record) => {
                        parts.extensions.insert(NamedTenant::new(record));
                        inner.call(Request::from_parts(parts, body)).await
                    }
                    Err(denied) => Ok(resolver.statuses.respond(denied)),
                };
            }
            let (tenant, record) = match resolver.resolve(&parts).await {
                Ok(resolved) => resolved,
                Err(denied) => return Ok(resolver.statuses.respond(denied)),
            };
            let named = resolver.request_id(&parts);
            parts.extensions.insert(tenant.clone());
            parts.extensions.insert(record);
            let request = Request::from_parts(parts, body);
            let served = async move {
                if resolver.ambient {
                    ambient::scope(tenant, async move { inner.call(request).await }).await
                } else {
                    inner.call(request).await
                }
            };
            match named {
                Some(named) => ambient::scope_request(named, served).await,
                None => served.await,
            }
        })
    }
}
