//! Tenants: ids, actors, tokens, and the tenant of a task.

pub mod ambient; // the tenant of the running task
pub(crate) mod charge; // what the running request is charged for
pub(crate) mod generation;
pub(crate) mod identity;
pub(crate) mod impersonation; // a grant by which support works in a tenant
pub(crate) mod into_id;
pub(crate) mod request_id;
pub(crate) mod share; // whose share of the pool
#[cfg(feature = "sign")]
pub(crate) mod signer;
pub(crate) mod token;
#[cfg(feature = "verify")]
pub(crate) mod verifier;
