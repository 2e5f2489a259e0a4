//! sea-orm inside a tenant: what sea-orm's queries run on, over the sqlx pool of pg_tenant's Rust client.
//!
//! ```no_run
//! # mod order {
//! #     use sea_orm::entity::prelude::*;
//! #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
//! #     #[sea_orm(table_name = "orders")]
//! #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub total: i64 }
//! #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
//! #     pub enum Relation {}
//! #     impl ActiveModelBehavior for ActiveModel {}
//! # }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_tenant_client::sqlx::TenantPool;
//! use pg_tenant_sea_orm::TenantConnection;
//! use sea_orm::{ActiveModelTrait, EntityTrait, Set, TransactionSession, TransactionTrait};
//! use sqlx::postgres::PgPoolOptions;
//!
//! let pool = TenantPool::new(PgPoolOptions::new().max_connections(16), "postgres://app@localhost/shop".parse()?);
//! let acme = TenantConnection::from(pool.tenant("acme"));
//!
//! // Each statement is a transaction inside the tenant.
//! let orders = order::Entity::find().all(&acme).await?;
//!
//! // Several in one. Dropping it rolls back.
//! let tx = acme.begin().await?;
//! order::ActiveModel { total: Set(7), ..Default::default() }.insert(&tx).await?;
//! tx.commit().await?;
//! # Ok(()) }
//! ```
//!
//! A [`TenantConnection`] stands where sea-orm's `DatabaseConnection` does, a [`TenantTransaction`] where its
//! `DatabaseTransaction` does, in every function that takes `&impl ConnectionTrait`, `TransactionTrait` or
//! `StreamTrait`. What holds of the client holds here: every connection is lent inside exactly one tenant; the server
//! refuses to enter on a session that is not pristine, and another is taken; tenants get connections in turn and within
//! their limits; a future may be dropped anywhere.
//!
//! What there is not:
//!
//! - a `sea_orm::DatabaseConnection` that is inside a tenant. That type holds an `sqlx::PgPool` and takes connections
//!   from it itself, so nothing can enter before a statement or look at the session. Write functions for
//!   `&impl ConnectionTrait`; sea-orm's own queries all are.
//! - schema changes and sea-orm's migrator: they are the owner's, who has no tenant. Run them over a
//!   `DatabaseConnection` of the owner's role.
#![forbid(unsafe_code)]

mod connection;
mod error;
mod session;
mod statement;
mod transaction;

pub use connection::TenantConnection;
pub use error::{client_error, code, is_retryable};
pub use transaction::TenantTransaction;
