//! What the extension and the client agree on, with no PostgreSQL in it, so that it is tested without a server.
//!
//! - [`TenantId`]: the grammar of a tenant id and its one canonical form.
//! - [`Refusal`]: every SQLSTATE of class `TN`, listed once.
//! - [`is_plain`]: texts that read in a log as they are written.
//! - [`SystemContext`]: how the system context stands where a tenant id would.
//! - [`gates`]: how many transactions of a tenant run at once, and how fast they come.
//! - [`Lookups`]: how often tenants were looked up, and when the journal is due a line.
//! - [`Refusals`]: what was refused, until the journal is told.
//! - [`statistics`]: what each tenant has cost.
//! - [`TenantStatus`]: the states of a tenant and which of them may be entered.
#![forbid(unsafe_code)]

pub mod gates;
mod lookups;
mod plain;
mod refusal;
mod refused;
pub mod statistics;
mod status;
mod system;
mod tenant_id;

pub use lookups::{Counted, Due, LookupKey, Lookups};
pub use plain::is_plain;
pub use refusal::Refusal;
pub use refused::{Refusals, Refused, RefusedKey};
pub use status::TenantStatus;
pub use system::SystemContext;
pub use tenant_id::{MalformedTenantId, TenantId};
