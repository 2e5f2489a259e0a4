//! The harness: a private PostgreSQL for every test binary, a fresh database with its own roles for every test.
//!
//! ```no_run
//! # async fn test() {
//! let db = pg_tenant_tests::database("orders_stay_apart").await;   // the extension is created in it
//! db.owner().await.run("create table orders (tenant_id uuid, total int)").await;
//! db.admin().await.run("select tenant.protect('orders')").await;
//! db.app().await.expect_error("TN001", "select * from orders").await;
//! # }
//! ```
//!
//! Nothing here connects as a superuser unless the call is named [`Database::superuser`].
//!
//! A file of `tests/tests/` is named for a failure, and its first lines say what holds instead: `it_is_lost_on_the_way`
//! shows that the tenant is not lost. What cannot be tested on a server is said by [`skipped`].
#![forbid(unsafe_code)]

pub mod attack; // isolation, attacked: a stock policy beside pg_tenant
mod cluster; // a server: start, stop, crash, restart, stand by
mod copy; // rows into a table
mod database; // a database per test
pub mod golden; // psql scripts and the output they must have
mod inside; // statements inside a tenant
mod install; // which PostgreSQL, and whether the extension is in it
mod layout; // a directory, a port and a socket that are free
mod options; // what is asked of a server
pub mod pace; // calls per second, beside the usual way
mod pgbouncer; // PgBouncer in front of a server
mod place; // where clusters live, and as whom their servers run
mod psql; // programs beside the server: psql, pg_dump, pgbench
mod roles; // the five roles of a database
mod route; // the paths to the shared server
pub mod shop;
mod skip; // what cannot be tested here is said
mod sql; // a session, and what it expects
mod watchdog; // no server outlives its test process

pub use cluster::Cluster;
pub use copy::copy_in;
pub use database::Database;
pub use install::{CONTRIB, Install};
pub use options::Options;
pub use pgbouncer::{Line, PgBouncer};
pub use place::workshop;
pub use psql::{Output, run};
pub use roles::Roles;
pub use route::Route;
pub use skip::skipped;
pub use sql::{Session, describe};

/// A fresh database with the extension, on the server that the tests of this binary share.
pub async fn database(name: &str) -> Database<'static> {
    Cluster::shared().database(name).await
}
