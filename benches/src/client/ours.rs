//! The client of pg_tenant, in its shapes.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pg_tenant_client::{Error, TenantPool, sqlx as client_sqlx};
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use super::peer::{POOL, PROTECTED, Peer, Point};

/// `pool.tenant(id).query_one(…)`: a transaction of one statement in one flight. For several keys, several of them.
pub(crate) struct OneFlight(pub(crate) TenantPool, pub(crate) Uuid);

/// `begin()`, a statement for each key, `commit()`, each awaited.
pub(crate) struct Transaction(pub(crate) TenantPool, pub(crate) Uuid);

/// As [`Transaction`], over sqlx.
pub(crate) struct OverSqlx(pub(crate) client_sqlx::TenantPool, pub(crate) Uuid);

pub(crate) fn pool(config: &tokio_postgres::Config) -> anyhow::Result<TenantPool> {
    Ok(TenantPool::builder(config.clone()).max_size(POOL).build()?)
}

pub(crate) fn pool_over_sqlx(url: &str) -> anyhow::Result<client_sqlx::TenantPool> {
    Ok(client_sqlx::TenantPool::new(PgPoolOptions::new().max_connections(POOL as u32), url.parse()?))
}

impl Peer for OneFlight {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let tenant = self.0.tenant(self.1);
            let mut points = Vec::with_capacity(keys.len());
            for key in keys {
                points.push(tenant.query_one(PROTECTED, &[key]).await?.try_into()?);
            }
            Ok(points)
        }
        .boxed()
    }
}

impl Peer for Transaction {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let mut tx = self.0.tenant(self.1).begin().await?;
            let mut points = Vec::with_capacity(keys.len());
            for key in keys {
                points.push(tx.query_one(PROTECTED, &[key]).await?.try_into()?);
            }
            tx.commit().await?;
            Ok(points)
        }
        .boxed()
    }
}

impl Peer for OverSqlx {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let tenant = self.0.tenant(self.1);
            if let [key] = keys {
                return Ok(vec![tenant.query_one(sqlx::query(PROTECTED).bind(key)).await?.try_into()?]);
            }
            let mut tx = tenant.begin().await?;
            let mut points = Vec::with_capacity(keys.len());
            for key in keys {
                let row = sqlx::query(PROTECTED).bind(key).fetch_one(&mut tx).await.map_err(Error::from)?;
                points.push(row.try_into()?);
            }
            tx.commit().await?;
            Ok(points)
        }
        .boxed()
    }
}
