//! The client of pg_tenant, in its shapes.

use anyhow::Context;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pg_tenant_client::{Error, TenantPool, pipeline, sqlx as client_sqlx};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::peer::{PROTECTED, Peer, Point};

/// `pool.tenant(id).query_one(…)`: a transaction of one statement in one flight. For several keys, several of them.
pub(crate) struct OneFlight(pub(crate) TenantPool, pub(crate) Uuid);

/// `begin()`, a statement for each key, `commit()`, each awaited.
pub(crate) struct Transaction(pub(crate) TenantPool, pub(crate) Uuid);

/// `begin()`, all but the last awaited, the last with commit in one flight.
pub(crate) struct ThenCommit(pub(crate) TenantPool, pub(crate) Uuid);

/// `pool.tenant(id).pipeline(…)`: all statements in one flight.
pub(crate) struct Pipelined(pub(crate) TenantPool, pub(crate) Uuid);

/// As [`Transaction`], over sqlx; a single statement by `pool.tenant(id).query_one(…)`.
pub(crate) struct OverSqlx(pub(crate) client_sqlx::TenantPool, pub(crate) Uuid);

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

impl Peer for ThenCommit {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let (last, keys) = keys.split_last().context("a key")?;
            let mut tx = self.0.tenant(self.1).begin().await?;
            let mut points = Vec::with_capacity(keys.len() + 1);
            for key in keys {
                points.push(tx.query_one(PROTECTED, &[key]).await?.try_into()?);
            }
            for row in tx.query_then_commit(PROTECTED, &[last]).await? {
                points.push(row.try_into()?);
            }
            Ok(points)
        }
        .boxed()
    }
}

impl Peer for Pipelined {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let params: Vec<[&(dyn ToSql + Sync); 1]> = keys.iter().map(|key| [key as _]).collect();
            let statements: Vec<_> = params.iter().map(|key| pipeline::query_one(PROTECTED, key)).collect();
            let rows = self.0.tenant(self.1).pipeline(statements).await?;
            Ok(rows.into_iter().map(Point::try_from).collect::<Result<_, _>>()?)
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
