//! The tenant of a request as axum extractors. They read what a [`TenantLayer`](super::TenantLayer) has put there, and
//! nothing that comes with the request.

use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use super::named_tenant::NamedTenant;
use crate::pool::tenant_pool::TenantPool;
use crate::registry::TenantRecord;
use crate::tenant::identity::Tenant;
use crate::tx::builder::TenantHandle;

/// The registry's record of the request's tenant, as an extractor.
#[derive(Clone, Debug)]
pub struct CurrentTenantRecord(pub Arc<TenantRecord>);

impl Deref for CurrentTenantRecord {
    type Target = TenantRecord;

    fn deref(&self) -> &TenantRecord {
        &self.0
    }
}

/// The route is not within a [`TenantLayer`](super::TenantLayer): a mistake in the program, answered with 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoTenantLayer;

impl fmt::Display for NoTenantLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this route asks for a tenant and is not within a TenantLayer")
    }
}

impl std::error::Error for NoTenantLayer {}

impl IntoResponse for NoTenantLayer {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

fn extension<T: Clone + Send + Sync + 'static>(request: &Parts) -> Result<T, NoTenantLayer> {
    request.extensions.get().cloned().ok_or(NoTenantLayer)
}

/// Who asks, and for which tenant.
impl<S: Send + Sync> FromRequestParts<S> for Tenant {
    type Rejection = NoTenantLayer;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Tenant, NoTenantLayer> {
        extension(request)
    }
}

/// For code that serves routes within the layer and outside of it.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Tenant {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Option<Tenant>, Infallible> {
        Ok(request.extensions.get().cloned())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CurrentTenantRecord {
    type Rejection = NoTenantLayer;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<CurrentTenantRecord, NoTenantLayer> {
        extension(request).map(CurrentTenantRecord)
    }
}

/// The tenant that the request names, within a [`NamedTenantLayer`](super::NamedTenantLayer).
impl<S: Send + Sync> FromRequestParts<S> for NamedTenant {
    type Rejection = NoTenantLayer;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<NamedTenant, NoTenantLayer> {
        extension(request)
    }
}

/// The request's tenant on the pool that is part of the router's state.
impl<S> FromRequestParts<S> for TenantHandle
where
    S: Send + Sync,
    TenantPool: FromRef<S>,
{
    type Rejection = NoTenantLayer;

    async fn from_request_parts(request: &mut Parts, state: &S) -> Result<TenantHandle, NoTenantLayer> {
        Ok(TenantPool::from_ref(state).tenant(extension::<Tenant>(request)?))
    }
}

#[cfg(feature = "sqlx")]
impl<S> FromRequestParts<S> for crate::sqlx::TenantHandle
where
    S: Send + Sync,
    crate::sqlx::TenantPool: FromRef<S>,
{
    type Rejection = NoTenantLayer;

    async fn from_request_parts(request: &mut Parts, state: &S) -> Result<Self, NoTenantLayer> {
        Ok(crate::sqlx::TenantPool::from_ref(state).tenant(extension::<Tenant>(request)?))
    }
}
