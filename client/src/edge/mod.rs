//! The tenant of a request, with the feature `tower`: named by the address, a header or a token, and proven by a token
//! or another [`Proof`]. A name alone is never trusted: it is compared with the tenant that the request proves.
//!
//! ```text
//!  request ──► Proof (a token, …) ──► a tenant, proven ──┐ the same?
//!          ──► Source (subdomain, path, header) ─────────┴──► Directory: known? active? ──► handler, with its Tenant
//!                                                             400 · 401 · 403 · 404 · 423 · 503
//! ```
//!
//! With the feature `axum`, [`Tenant`](crate::Tenant), [`CurrentTenantRecord`] and the pools' `TenantHandle` are
//! extractors, and [`Error`](crate::Error) is a response.

mod credential;
mod denied;
#[cfg(feature = "axum")]
mod extract;
mod host;
mod layer;
mod named;
mod named_tenant;
mod proof;
mod require;
mod resolve;
#[cfg(feature = "axum")]
mod respond;
mod source;
mod usage;

pub use credential::{bearer, cookie};
pub use denied::Denied;
#[cfg(feature = "axum")]
pub use extract::CurrentTenantRecord as Resolved; // its name of 0.1.0
#[cfg(feature = "axum")]
pub use extract::{CurrentTenantRecord, NoTenantLayer};
pub use layer::{TenantLayer, TenantService};
pub use named::NamedTenantLayer;
pub use named_tenant::NamedTenant;
pub use proof::{AsyncProof, Proof};
pub use require::{RequireLayer, RequireService};
pub use source::Source;
pub use usage::{UsageLayer, UsageService};
