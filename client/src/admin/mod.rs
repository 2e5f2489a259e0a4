//! Tenants made and managed by the program, at sign-up or by an operator.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use pg_tenant_client::TenantPool;
//! use pg_tenant_client::admin::{NewTenant, TenantAdmin, TenantChange, TenantLimits};
//!
//! // A role of its own: create role provisioning login in role tenant_admin, tenant_user;
//! let pool = TenantPool::builder("host=localhost user=provisioning dbname=shop".parse()?).max_size(2).build()?;
//! let admin = TenantAdmin::new(pool);
//!
//! // The tenant and its first owner: both or neither.
//! let new = NewTenant::new("acme").name("Acme Ltd").slug("acme").plan("free");
//! admin
//!     .create_with(new, async |tx| tx.execute("insert into members (email) values ($1)", &[&"ann@acme.example"]).await)
//!     .await?;
//!
//! admin.change("acme", TenantChange::new().plan("pro")).await?;
//! admin.suspend("acme", Some("unpaid since May")).await?;
//! admin.resume("acme", None).await?;
//! admin.set_limits("acme", TenantLimits::new().statement_timeout(Duration::from_secs(30))).await?;
//! # Ok(()) }
//! ```
//!
//! Each call needs a login that was granted `tenant_admin`, and [`TenantAdmin::create_with`] one that was granted
//! `tenant_user` and rights on the tables as well. Give the application another: who manages tenants may suspend all of
//! them. Every change has a line in `tenant.journal`.
//!
//! `sqlx::TenantAdmin` has the same calls over sqlx, with the feature `sqlx`.
//!
//! There is no call that deletes a tenant, because the server refuses it (`TN052`): tables refer to tenants, and an id
//! is never given to another. Suspend it, and delete its rows in the [system context](crate::danger::system).

pub(crate) mod alone;
mod change;
mod new_tenant;
mod support;
mod tenant_admin;
mod tenant_limits;

pub use change::TenantChange;
pub use new_tenant::NewTenant;
pub use support::{NewImpersonation, Support};
pub use tenant_admin::TenantAdmin;
#[cfg(feature = "sqlx")]
pub(crate) use tenant_admin::of_an_admin;
#[cfg(feature = "sqlx")]
pub(crate) use tenant_limits::SET_LIMITS;
pub use tenant_limits::TenantLimits;
