//! diesel inside a tenant: a connection for diesel-async, over the pool of pg_tenant's Rust client.
//!
//! ```no_run
//! # diesel::table! { orders (id) { id -> BigInt, total -> BigInt } }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use diesel::prelude::*;
//! use diesel_async::{AsyncConnection, RunQueryDsl};
//! use pg_tenant_client::TenantPool;
//! use pg_tenant_diesel::TenantConnection;
//!
//! let pool = TenantPool::builder("host=localhost user=app dbname=shop".parse()?).max_size(16).build()?;
//! let mut acme = TenantConnection::from(pool.tenant("acme"));
//!
//! // Each statement is a transaction inside the tenant: one round trip.
//! let totals: Vec<i64> = orders::table.select(orders::total).load(&mut acme).await?;
//!
//! // Several in one: commits on Ok, rolls back on Err, and where the future is dropped.
//! acme.transaction(async |acme| {
//!     diesel::insert_into(orders::table).values(orders::total.eq(7i64)).execute(acme).await?;
//!     diesel::QueryResult::Ok(())
//! })
//! .await?;
//! # Ok(()) }
//! ```
//!
//! [`TenantConnection`] is an `AsyncConnection<Backend = Pg>`: functions that are written for one, or for
//! `AsyncPgConnection` and made generic, take it. What holds of the client holds here: every connection is lent inside
//! exactly one tenant; the server refuses to enter on a session that is not pristine, and another is taken; tenants get
//! connections in turn and within their limits; a future may be dropped anywhere.
//!
//! What there is not:
//!
//! - diesel's own `AsyncPgConnection` inside a tenant. It owns its driver's client for good and sets the session's time
//!   zone when it is made, which makes the session one that the server will not enter on. Here the client's pool keeps
//!   the connection and diesel's queries are sent through it. So times are in the session's time zone where diesel asks
//!   for none (`timestamptz` is the same instant in any case).
//! - diesel's synchronous `PgConnection`: libpq's connections are not the client's, and nothing could be cancelled on
//!   them when a future is dropped.
//! - rows as they come: `load_stream` reads the answer whole, then hands it on. For more than fits in memory there is
//!   `query_stream` of the client.
//! - `build_transaction`, `notifications_stream` and pipelining by a shared reference, which are of
//!   `AsyncPgConnection` alone. Choose isolation level and read-only on `pool.tenant(…)`.
#![forbid(unsafe_code)]

mod binds;
mod connection;
mod error;
mod row;
mod transaction;

pub use connection::TenantConnection;
pub use row::TenantRow;
pub use transaction::TenantTransactionManager;
