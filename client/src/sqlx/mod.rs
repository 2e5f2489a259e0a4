//! The same shapes over [`sqlx::PgPool`], with the feature `sqlx`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_tenant_client::sqlx::TenantPool;
//! use sqlx::postgres::PgPoolOptions;
//!
//! let pool = TenantPool::new(PgPoolOptions::new().max_connections(16), "postgres://app@localhost/shop".parse()?);
//!
//! let rows = pool.tenant("acme").query(sqlx::query("select id from orders where total > $1").bind(100i64)).await?;
//!
//! let mut tx = pool.tenant("acme").begin().await?;
//! let open: Vec<(i64,)> = sqlx::query_as("select id from orders where open").fetch_all(&mut tx).await?;
//! tx.commit().await?;
//!
//! pool.tenant("acme")
//!     .transaction(async |tx| {
//!         sqlx::query("update orders set open = false").execute(&mut *tx).await?;
//!         Ok(())
//!     })
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! What differs from the pool over tokio-postgres is what sqlx cannot do:
//!
//! - It cannot pipeline. Beginning and entering are one round trip, each statement is one (two when it is first
//!   prepared), commit with its probe is one. `query`, `query_opt` and `execute` of a `TenantHandle` send a text
//!   without arguments (`&str`, `raw_sql`) and its commit in one message: two round trips. A message of sqlx with
//!   arguments holds one statement and is waited for before the next is sent, so these take three. Entering is waited
//!   for in any case: before anything has run a connection that is dirty or broken can be replaced, and without the
//!   answer, which names the server's process, a call that is dropped could not be cancelled.
//! - It has no bulk write of its own. Bind one array for each column; the policy is asked about each row:
//!   `sqlx::query("insert into orders (id, total) select * from unnest($1::int8[],
//!   $2::int8[])").bind(ids).bind(totals)`.
//! - It cannot send a CancelRequest. A statement whose future was dropped is cancelled with `pg_cancel_backend` from a
//!   second connection, and only while it still belongs to the transaction that was dropped.
//! - Its statements report [`sqlx::Error`], which converts into [`Error`](crate::Error) with `?`.
//! - A dropped statement does not make the transaction refuse: as always in sqlx, the next call reads past what it
//!   left.

mod begin;
mod builder;
mod changes;
mod cleanup;
mod copy_out;
#[cfg(feature = "jobs")]
mod enqueue;
mod entering;
mod error;
mod executor;
mod generator;
#[cfg(feature = "keys")]
mod keys;
mod lease;
mod lookup;
mod one_shot;
mod one_statement;
mod open_tx;
mod permission;
mod pool;
mod retry;
#[cfg(feature = "secrets")]
mod secret;
mod stale;
mod statement;
mod tenant_admin;
mod tenant_executor;
mod tenant_tx;
mod typed;
mod usage;

pub mod danger;

pub use builder::TenantHandle;
pub use pool::TenantPool;
pub use retry::RetryingTx;
pub use tenant_admin::TenantAdmin;
pub use tenant_executor::TenantExecutor;
pub use tenant_tx::TenantTx;
pub use typed::TypedQuery;

/// The name of 0.1.0.
#[deprecated(since = "0.2.0", note = "it is called TenantHandle")]
pub type TxBuilder = TenantHandle;
