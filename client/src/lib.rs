//! Every pooled checkout runs inside exactly one tenant: the Rust client of pg_tenant.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_tenant_client::TenantPool;
//!
//! let pool = TenantPool::builder("host=localhost user=app dbname=shop".parse()?).max_size(16).build()?;
//!
//! // One statement, one round trip: begin, enter, the statement and commit travel together.
//! let open = pool.tenant("acme").query("select id, total from orders where open", &[]).await?;
//!
//! // A transaction. Enter rides with the first statement; dropping it rolls back.
//! let mut tx = pool.tenant("acme").begin().await?;
//! tx.execute("update orders set open = false where id = $1", &[&7i64]).await?;
//! tx.commit().await?;
//!
//! // Commits on Ok, rolls back on Err.
//! let total: i64 = pool
//!     .tenant("acme")
//!     .transaction(async |tx| Ok(tx.query_one("select count(*) from orders", &[]).await?.get(0)))
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! # What holds
//!
//! - **The server is the boundary.** Nothing here can give a transaction another tenant's rows; this crate makes the
//!   safe way the short one, cleans up, and notices what went wrong.
//! - **Dropping is safe everywhere.** At every await of every call, a dropped future leaves no open transaction, no
//!   tenant and no lost slot in the pool. A statement that was running is cancelled on the server.
//! - **The next borrower gets it clean, or gets another connection.** The server refuses to enter on a session that
//!   carries state from before (`TN008`); the client then closes it and takes another, unseen.
//! - **Commit is honest.** A commit that PostgreSQL turned into a rollback is an error here.
//!
//! # Across tenants
//!
//! There is one way, for operators: [`danger::system`], with a reason that the server writes down, and transactions of
//! a type of their own.
//!
//! # The tenant through a program
//!
//! A [`Tenant`] is made where a request, a job or a command comes in, and passed on from there: `pool.tenant(&tenant)`.
//! [`ambient`] is for programs that rather let the running task have one. What leaves the program carries it as well:
//! requests to other services, jobs, objects; and a [`CacheKey`] cannot be built without one.
//!
//! # Many tenants, one pool
//!
//! A free connection goes to the waiting tenant that has the fewest, in turn. [`Limits`] bound what one tenant takes,
//! the same for all, by a closure or by [`Plans`]; a refusal says which limit ([`Error::limit`]) and when to ask again
//! ([`Error::retry_after`]). Each call runs in a `tracing` span that has the tenant and never a statement's text.
//!
//! # Features
//!
//! | | |
//! |---|---|
//! | `sqlx` | the module `sqlx`: the same over `sqlx::PgPool` |
//! | `sign` | pools that sign a token for each transaction |
//! | `verify` | `TokenVerifier`: a token becomes a [`Tenant`] |
//! | `metrics` | counts for the recorder of the crate `metrics`, with a bounded number of series: `MetricLabels` |
//! | `opentelemetry` | the module `baggage`: the tenant in the baggage of outgoing calls |
//! | `directory` | the module `directory`: which tenant a slug is, cached |
//! | `jobs` | the module `jobs`: work that is queued in a tenant's transaction and done inside that tenant, and schedules |
//! | `keys`, `keys-vault` | the module `keys`: sealed columns, and keys of tenants that can be destroyed |
//! | `onboarding` | the module `onboarding`: tenants that are set up in steps, and the worker that takes them |
//! | `tower` | the module `edge`: a layer that finds and proves the tenant of a request |
//! | `axum` | the same, and extractors |
//! | `billing` | the module `billing`: a webhook of payment providers, Stripe first |
//! | `outbound` | the module `outbound`: the tenant on requests to other services, signed |
//! | `envelope` | `Envelope`: the tenant around a job's payload |
//! | `object_store` | the module `objects`: a tenant's part of an object store |
//! | `secrets` | the module `secrets`: references to secrets in tenants' settings, resolved |
//! | `testing` | deprecated: the module `testing`, which is the crate `pg-tenant-testing` now |
//!
//! Behind PgBouncer it works in session and in transaction mode: see [`Pooler`].
#![forbid(unsafe_code)]

pub mod admin;
#[cfg(feature = "billing")]
pub mod billing;
pub mod danger;
#[cfg(feature = "directory")]
pub mod directory {
    //! Which tenant a slug or an id is: a cache over the registry, for every request.
    pub use crate::registry::*;
}
#[cfg(feature = "tower")]
pub mod edge;
mod error;
#[cfg(feature = "jobs")]
pub mod jobs;
#[cfg(feature = "keys")]
pub mod keys;
mod listener;
mod observe;
#[cfg(feature = "onboarding")]
pub mod onboarding;
mod pool;
mod propagation;
#[cfg(feature = "directory")]
mod registry;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "sqlx")]
pub mod sqlx;
mod tenant;
#[cfg(feature = "testing")]
#[deprecated(since = "0.2.0", note = "depend on the crate pg-tenant-testing")]
pub mod testing {
    //! The crate `pg-tenant-testing`, under its name of 0.1.0.
    pub use pg_tenant_testing::{
        Answer, Finding, Http, InProcess, Leak, Report, Route, Target, assert_isolated, isolation,
    };
    /// Its name of 0.1.0.
    #[deprecated(since = "0.2.0", note = "it is called Caller")]
    pub type Party = pg_tenant_testing::Caller;
}
mod tx;
mod wire;
#[cfg(any(feature = "onboarding", feature = "jobs"))]
mod worker;

/// For the crates that are released together with this one. Nothing here is kept from version to version.
#[doc(hidden)]
pub mod internal {
    pub use crate::wire::backend_key::process_id;
}

pub use error::Error;
pub use error::limit::Limit;
pub use error::usage::Usage;
pub use listener::{Heard, TenantListener, TenantNotification};
#[cfg(feature = "metrics")]
pub use observe::MetricLabels;
pub use pg_tenant_core::{MalformedTenantId, Refusal, TenantId, TenantStatus};
#[cfg(feature = "sign")]
pub use pg_tenant_token::{BadKey, Signer};
pub use pool::builder::TenantPoolBuilder;
pub use pool::credentials::Credentials;
pub use pool::limits::{LimitPolicy, Limits, Plans, Rate, Refresh};
pub use pool::lookup::LookupMatch;
pub use pool::pooler::Pooler;
pub use pool::read_after::ReadAfter;
pub use pool::tenant_pool::{Status, TenantPool};
#[cfg(feature = "opentelemetry")]
pub use propagation::baggage;
pub use propagation::cache_key::CacheKey;
#[cfg(feature = "envelope")]
pub use propagation::envelope::Envelope;
#[cfg(feature = "object_store")]
pub use propagation::objects;
#[cfg(feature = "outbound")]
pub use propagation::outbound;
pub use tenant::ambient;
pub use tenant::generation::Generation;
pub use tenant::identity::Tenant;
pub use tenant::impersonation::Impersonation;
pub use tenant::into_id::IntoTenantId;
pub use tenant::request_id::{MalformedRequestId, RequestId};
#[cfg(feature = "sign")]
pub use tenant::signer::TokenSigner;
#[cfg(feature = "verify")]
pub use tenant::verifier::TokenVerifier;
pub use tokio_postgres;
pub use tx::builder::TenantHandle;
pub use tx::bulk::row::BulkRow;
pub use tx::copy_out::CopyOutStream;
pub use tx::executor::TenantExecutor;
pub use tx::options::IsolationLevel;
pub use tx::pipeline;
pub use tx::retry::{Retry, RetryingTx};
pub use tx::stream::RowStream;
pub use tx::tenant_tx::TenantTx;

/// The name of 0.1.0.
#[deprecated(since = "0.2.0", note = "it is called TenantHandle")]
pub type TxBuilder = TenantHandle;
