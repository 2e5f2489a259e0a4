//! The peers: what applications do today, each in the idiom of its own documentation and with its own pool's defaults.
//!
//! deadpool-postgres: `prepare_cached`, recycled without a question (`RecyclingMethod::Fast`). sqlx: its statement
//! cache; its pool asks a connection whether it lives before it lends it (`test_before_acquire`) and, on its own time,
//! when it gets it back. diesel-async: the query builder, whose statements are cached, and a query before a connection
//! is lent (`RecyclingMethod::Verified`). The bare statement has no transaction, no tenant and no policy: the predicate
//! is written by hand.

use deadpool_postgres::Pool;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncConnection, RunQueryDsl};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::PgPool;
use uuid::Uuid;

use super::peer::{BARE, Peer, Point, STOCK};
use super::pools;

pub(crate) struct Deadpool {
    pool: Pool,
    tenant: Uuid,
}

impl Deadpool {
    pub(crate) fn new(config: &tokio_postgres::Config, tenant: Uuid) -> anyhow::Result<Deadpool> {
        Ok(Deadpool { pool: pools::deadpool(config)?, tenant })
    }
}

impl Peer for Deadpool {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let mut client = self.pool.get().await?;
            let tx = client.transaction().await?;
            let set = tx.prepare_cached("select set_config('app.tenant', $1, true)").await?;
            tx.query_one(&set, &[&self.tenant.to_string()]).await?;
            let statement = tx.prepare_cached(STOCK).await?;
            let mut points = Vec::with_capacity(keys.len());
            for key in keys {
                points.push(tx.query_one(&statement, &[key]).await?.try_into()?);
            }
            tx.commit().await?;
            Ok(points)
        }
        .boxed()
    }
}

/// The limit: nothing but the statement.
pub(crate) struct Bare {
    pool: Pool,
    tenant: Uuid,
}

impl Bare {
    pub(crate) fn new(config: &tokio_postgres::Config, tenant: Uuid) -> anyhow::Result<Bare> {
        Ok(Bare { pool: pools::deadpool(config)?, tenant })
    }
}

impl Peer for Bare {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let client = self.pool.get().await?;
            let statement = client.prepare_cached(BARE).await?;
            let mut points = Vec::with_capacity(keys.len());
            for key in keys {
                points.push(client.query_one(&statement, &[&self.tenant, key]).await?.try_into()?);
            }
            Ok(points)
        }
        .boxed()
    }
}

pub(crate) struct Sqlx {
    pool: PgPool,
    tenant: Uuid,
}

impl Sqlx {
    pub(crate) fn new(url: &str, tenant: Uuid) -> anyhow::Result<Sqlx> {
        Ok(Sqlx { pool: pools::sqlx(url)?, tenant })
    }
}

impl Peer for Sqlx {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let mut tx = self.pool.begin().await?;
            let set = sqlx::query("select set_config('app.tenant', $1, true)").bind(self.tenant.to_string());
            set.execute(&mut *tx).await?;
            let mut points = Vec::with_capacity(keys.len());
            for key in keys {
                points.push(sqlx::query(STOCK).bind(key).fetch_one(&mut *tx).await?.try_into()?);
            }
            tx.commit().await?;
            Ok(points)
        }
        .boxed()
    }
}

diesel::table! {
    stock.points (id) {
        id -> BigInt,
        amount -> BigInt,
        note -> Text,
    }
}

#[diesel::declare_sql_function]
extern "SQL" {
    fn set_config(name: Text, value: Text, is_local: Bool) -> Text;
}

pub(crate) struct Diesel {
    pool: pools::DieselPool,
    tenant: Uuid,
}

impl Diesel {
    pub(crate) fn new(url: &str, tenant: Uuid) -> anyhow::Result<Diesel> {
        Ok(Diesel { pool: pools::diesel(url)?, tenant })
    }
}

impl Peer for Diesel {
    fn read<'a>(&'a self, keys: &'a [i64]) -> BoxFuture<'a, anyhow::Result<Vec<Point>>> {
        async move {
            let mut connection = self.pool.get().await?;
            let rows = connection
                .transaction::<_, diesel::result::Error, _>(async |connection| {
                    let set = diesel::select(set_config("app.tenant", self.tenant.to_string(), true));
                    set.get_result::<String>(connection).await?;
                    let mut rows = Vec::with_capacity(keys.len());
                    for key in keys {
                        let query = points::table.filter(points::id.eq(*key));
                        rows.push(query.get_result::<(i64, i64, String)>(connection).await?);
                    }
                    Ok(rows)
                })
                .await?;
            Ok(rows.into_iter().map(|(id, amount, note)| Point { id, amount, note }).collect())
        }
        .boxed()
    }
}
