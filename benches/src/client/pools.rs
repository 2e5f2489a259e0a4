//! The pools, all of one size and with their own defaults otherwise.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, deadpool};
use pg_tenant_client::{TenantPool, sqlx as client_sqlx};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_postgres::{Config, NoTls};

/// How many connections each has.
const SIZE: usize = 16;

pub(crate) type DieselPool = deadpool::Pool<AsyncPgConnection>;

pub(crate) fn ours(config: &Config) -> anyhow::Result<TenantPool> {
    Ok(TenantPool::builder(config.clone()).max_size(SIZE).build()?)
}

pub(crate) fn ours_over_sqlx(url: &str) -> anyhow::Result<client_sqlx::TenantPool> {
    Ok(client_sqlx::TenantPool::new(options(), url.parse()?))
}

pub(crate) fn deadpool(config: &Config) -> anyhow::Result<Pool> {
    // What deadpool-postgres does by default, said.
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config.clone(), NoTls, recycling);
    Ok(Pool::builder(manager).max_size(SIZE).build()?)
}

pub(crate) fn sqlx(url: &str) -> anyhow::Result<PgPool> {
    Ok(options().connect_lazy(url)?)
}

pub(crate) fn diesel(url: &str) -> anyhow::Result<DieselPool> {
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(url);
    Ok(deadpool::Pool::builder(manager).max_size(SIZE).build()?)
}

fn options() -> PgPoolOptions {
    PgPoolOptions::new().max_connections(SIZE as u32)
}
