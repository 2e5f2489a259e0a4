//! Every pooled checkout runs inside exactly one tenant: the Rust client of pg_tenant.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_tenant_client::{Error, TenantPool};
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
//!     .run(async |tx| Ok::<_, Error>(tx.query_one("select count(*) from orders", &[]).await?.get(0)))
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! # What holds
//!
//! - **The server is the boundary.** Nothing here can give a transaction another tenant's rows; this crate makes the safe
//!   way the short one, cleans up, and notices what went wrong.
//! - **Dropping is safe everywhere.** At every await of every call, a dropped future leaves no open transaction, no
//!   tenant and no lost slot in the pool. A statement that was running is cancelled on the server.
//! - **The next borrower gets it clean, or gets another connection.** The server refuses to enter on a session that
//!   carries state from before (`TN008`); the client then closes it and takes another, unseen.
//! - **Commit is honest.** A commit that PostgreSQL turned into a rollback is an error here.
//!
//! # Across tenants
//!
//! There is one way, for operators: [`danger::system`], with a reason that the server writes down, and transactions of a
//! type of their own.
//!
//! # The tenant through a program
//!
//! A [`Tenant`] is made where a request, a job or a command comes in, and passed on from there: `pool.tenant(&tenant)`.
//! [`ambient`] is for programs that rather let the running task have one. What leaves the program carries it as well:
//! requests to other services, jobs, objects; and a [`CacheKey`] cannot be built without one.
//!
//! # Many tenants, one pool
//!
//! A free connection goes to the waiting tenant that has the fewest, in turn. [`Limits`] bound what one tenant takes, the
//! same for all, by a closure or by [`Plans`]; a refusal says which limit ([`Error::limit`]) and when to ask again
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
//! | `tower` | the module `edge`: a layer that finds and proves the tenant of a request |
//! | `axum` | the same, and extractors |
//! | `outbound` | the module `outbound`: the tenant on requests to other services, signed |
//! | `envelope` | `Envelope`: the tenant around a job's payload |
//! | `object_store` | the module `objects`: a tenant's part of an object store |
//! | `testing` | the module `testing`: shows that an API keeps tenants apart |
//!
//! Behind PgBouncer it works in session and in transaction mode: see [`Pooler`].
#![forbid(unsafe_code)]

mod admission;
#[cfg(feature = "directory")]
mod ask;
mod backend_key;
mod begin;
mod bulk;
mod bulk_columns;
mod bulk_send;
mod cancel;
mod cancel_request;
mod config;
mod entered;
#[cfg(feature = "envelope")]
mod envelope;
mod error;
mod error_from;
mod error_limit;
mod error_make;
mod flight;
mod id;
mod judge;
mod keys;
mod known;
mod lease;
mod limits;
mod observe;
mod pool;
mod pooler;
mod query;
mod recycle;
mod retry;
mod run;
mod savepoint;
#[cfg(feature = "sign")]
mod sign;
mod statements;
mod stream;
mod system;
mod system_tx;
mod tenant;
mod text;
mod token;
mod tx;
mod tx_builder;
mod tx_end;
mod tx_send;
#[cfg(feature = "verify")]
mod verify;
mod version;

pub mod ambient;
pub mod danger;
#[cfg(feature = "directory")]
pub mod directory;
#[cfg(feature = "tower")]
pub mod edge;
#[cfg(feature = "object_store")]
pub mod objects;
#[cfg(feature = "outbound")]
pub mod outbound;
pub mod pipeline;
#[cfg(feature = "sqlx")]
pub mod sqlx;
#[cfg(feature = "testing")]
pub mod testing;

pub use begin::IsolationLevel;
pub use bulk::BulkRow;
pub use config::TenantPoolBuilder;
#[cfg(feature = "envelope")]
pub use envelope::Envelope;
pub use error::Error;
pub use id::IntoTenantId;
pub use keys::CacheKey;
pub use limits::{Limit, LimitPolicy, Limits, Plans, Rate};
#[cfg(feature = "metrics")]
pub use observe::MetricLabels;
#[cfg(feature = "opentelemetry")]
pub use observe::baggage;
pub use pg_tenant_core::{MalformedTenantId, Refusal, TenantId, TenantStatus};
#[cfg(feature = "sign")]
pub use pg_tenant_token::{BadKey, Signer};
pub use pool::{Status, TenantPool};
pub use pooler::Pooler;
pub use retry::{Retry, RetryingTx};
#[cfg(feature = "sign")]
pub use sign::TokenSigner;
pub use stream::RowStream;
pub use tenant::Tenant;
pub use tokio_postgres;
pub use tx::TenantTx;
pub use tx_builder::TxBuilder;
#[cfg(feature = "verify")]
pub use verify::TokenVerifier;
