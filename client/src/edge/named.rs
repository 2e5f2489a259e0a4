//! The layer for what comes before sign-in.

use std::sync::Arc;

use http::StatusCode;
use tower_layer::Layer;

use super::denied::{Denied, Statuses};
use super::layer::TenantService;
use super::resolve::Resolver;
use super::source::Source;
use crate::registry::Directory;

/// Lets a request through that names an active tenant, with a [`NamedTenant`](super::NamedTenant) among its extensions
/// and without a [`Tenant`](crate::Tenant): on its routes the extractors of a [`TenantLayer`](super::TenantLayer) find
/// nothing.
///
/// ```no_run
/// # #[cfg(feature = "axum")]
/// # fn example(pool: pg_tenant_client::TenantPool, proven: pg_tenant_client::edge::TenantLayer) {
/// use axum::{Router, routing::get};
/// use pg_tenant_client::directory::Directory;
/// use pg_tenant_client::edge::{NamedTenant, NamedTenantLayer, Source};
///
/// /// acme.example.com/sign-in
/// async fn sign_in(tenant: NamedTenant) -> String {
///     format!("Welcome to {}", tenant.record().slug.as_deref().unwrap_or_default())
/// }
///
/// let by_host = NamedTenantLayer::new(Directory::new(pool), Source::subdomain("example.com"));
/// let app: Router = Router::new()
///     .merge(Router::new().route("/orders", get(async || "for who is signed in")).layer(proven))
///     .merge(Router::new().route("/sign-in", get(sign_in)).layer(by_host));
/// # }
/// ```
///
/// The answers tell everybody which names exist, as DNS does. To hide which tenants are suspended, give them the status
/// of unknown ones: `.status(Denied::Suspended, StatusCode::NOT_FOUND)`.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is around a service"]
pub struct NamedTenantLayer {
    resolver: Arc<Resolver>,
}

impl NamedTenantLayer {
    /// A layer that takes the tenant's name from `source` and looks it up in `directory`.
    pub fn new(directory: Directory, source: Source) -> NamedTenantLayer {
        let (proofs, sources, statuses) = (Vec::new(), vec![source], Statuses::default());
        let resolver =
            Resolver { directory, proofs, sources, statuses, ambient: false, unproven: true, request_id: None };
        NamedTenantLayer { resolver: Arc::new(resolver) }
    }

    /// Adds a place where requests name their tenant. Where several do, they must name the same.
    pub fn source(mut self, source: Source) -> Self {
        Arc::make_mut(&mut self.resolver).sources.push(source);
        self
    }

    /// Sets the HTTP status of requests that are denied for this reason.
    pub fn status(mut self, denied: Denied, status: StatusCode) -> Self {
        Arc::make_mut(&mut self.resolver).statuses.set(denied, status);
        self
    }
}

impl<S> Layer<S> for NamedTenantLayer {
    type Service = TenantService<S>;

    fn layer(&self, inner: S) -> TenantService<S> {
        TenantService { resolver: Arc::clone(&self.resolver), inner }
    }
}
