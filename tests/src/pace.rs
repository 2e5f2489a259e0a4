//! How many calls a second: the client's beside the usual way, in one run, in turns.
//!
//! The usual way is what applications do today: BEGIN, `set_config('app.tenant', …, true)`, the query, COMMIT, each
//! awaited, on a table with a stock policy. Both ways read the same keys of the same rows through pools of one size.

use std::time::Instant;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use futures_util::future::try_join_all;
use pg_tenant_client::{Error, TenantPool, sqlx as client_sqlx};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Row};
use tokio_postgres::NoTls;
use uuid::Uuid;

/// The pools, and what is asked. Each query takes a key (bigint) and returns one row with one bigint.
pub struct Pace {
    tenant: Uuid,
    keys: Vec<i64>,
    protected: &'static str,
    stock: &'static str,
    ours: TenantPool,
    usual: Pool,
    ours_sqlx: client_sqlx::TenantPool,
    usual_sqlx: PgPool,
}

/// One way to make the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `pool.tenant(id).query(…)`.
    Once,
    /// `pool.tenant(id).begin()`, a query, `commit()`.
    Transaction,
    /// The usual way over deadpool-postgres.
    Usual,
    /// `pool.tenant(id).query(…)` over sqlx.
    OnceSqlx,
    /// `pool.tenant(id).begin()`, a query, `commit()` over sqlx.
    TransactionSqlx,
    /// The usual way over sqlx.
    UsualSqlx,
}

/// What is compared: a name, our way, its peer.
pub const PAIRS: [(&str, Way, Way); 4] = [
    ("one query, deadpool", Way::Once, Way::Usual),
    ("begin, query, commit, deadpool", Way::Transaction, Way::Usual),
    ("one query, sqlx", Way::OnceSqlx, Way::UsualSqlx),
    ("begin, query, commit, sqlx", Way::TransactionSqlx, Way::UsualSqlx),
];

/// How many calls are under way at a time, and connections in each pool.
const AT_ONCE: usize = 4;

impl Pace {
    /// Pools for `config`, and the two queries: on a protected table and on one with a stock policy.
    pub fn new(
        config: &tokio_postgres::Config,
        url: &str,
        tenant: Uuid,
        keys: Vec<i64>,
        [protected, stock]: [&'static str; 2],
    ) -> anyhow::Result<Pace> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config.clone(), NoTls, recycling);
        let options: PgConnectOptions = url.parse()?;
        let sqlx = || PgPoolOptions::new().max_connections(AT_ONCE as u32);
        Ok(Pace {
            tenant,
            keys,
            protected,
            stock,
            ours: TenantPool::builder(config.clone()).max_size(AT_ONCE).build()?,
            usual: Pool::builder(manager).max_size(AT_ONCE).build()?,
            ours_sqlx: client_sqlx::TenantPool::new(sqlx(), options.clone()),
            usual_sqlx: sqlx().connect_lazy_with(options),
        })
    }

    /// Every key once, a few at a time: seconds, and the sum of what was read.
    pub async fn round(&self, way: Way) -> anyhow::Result<(f64, i64)> {
        let start = Instant::now();
        let worker = |first: usize| async move {
            let mut sum = 0;
            for &key in self.keys.iter().skip(first).step_by(AT_ONCE) {
                sum += self.call(way, key).await?;
            }
            anyhow::Ok(sum)
        };
        let sums: Vec<i64> = try_join_all((0..AT_ONCE).map(worker)).await?;
        Ok((start.elapsed().as_secs_f64(), sums.iter().sum()))
    }

    async fn call(&self, way: Way, key: i64) -> anyhow::Result<i64> {
        Ok(match way {
            Way::Once => self.ours.tenant(self.tenant).query_one(self.protected, &[&key]).await?.get(0),
            Way::Transaction => {
                let mut tx = self.ours.tenant(self.tenant).begin().await?;
                let row = tx.query_one(self.protected, &[&key]).await?;
                tx.commit().await?;
                row.get(0)
            }
            Way::Usual => {
                let mut client = self.usual.get().await?;
                let tx = client.transaction().await?;
                let set = tx.prepare_cached("select set_config('app.tenant', $1, true)").await?;
                tx.query(&set, &[&self.tenant.to_string()]).await?;
                let statement = tx.prepare_cached(self.stock).await?;
                let row = tx.query_one(&statement, &[&key]).await?;
                tx.commit().await?;
                row.get(0)
            }
            Way::OnceSqlx => {
                let query = sqlx::query(self.protected).bind(key);
                self.ours_sqlx.tenant(self.tenant).query_one(query).await?.try_get(0)?
            }
            Way::TransactionSqlx => {
                let mut tx = self.ours_sqlx.tenant(self.tenant).begin().await?;
                let row = sqlx::query(self.protected).bind(key).fetch_one(&mut tx).await.map_err(Error::from)?;
                tx.commit().await?;
                row.try_get(0)?
            }
            Way::UsualSqlx => {
                let mut tx = self.usual_sqlx.begin().await?;
                let set = sqlx::query("select set_config('app.tenant', $1, true)").bind(self.tenant.to_string());
                set.execute(&mut *tx).await?;
                let row = sqlx::query(self.stock).bind(key).fetch_one(&mut *tx).await?;
                tx.commit().await?;
                row.try_get(0)?
            }
        })
    }

    /// The pairs in turns, `rounds` times: for each, the median of peer's time by ours (2 is twice as many calls a
    /// second). An error where two ways read different rows.
    pub async fn compare(&self, rounds: usize) -> anyhow::Result<Vec<(&'static str, f64)>> {
        let mut ratios = vec![Vec::new(); PAIRS.len()];
        for round in 0..=rounds {
            for (pair, &(name, ours, peer)) in PAIRS.iter().enumerate() {
                // Who goes first alternates; the first round warms up.
                let (own, other) = if round % 2 == 0 {
                    (self.round(ours).await?, self.round(peer).await?)
                } else {
                    let other = self.round(peer).await?;
                    (self.round(ours).await?, other)
                };
                anyhow::ensure!(own.1 == other.1, "{name}: {} read, its peer read {}", own.1, other.1);
                if round > 0 {
                    ratios[pair].push(other.0 / own.0);
                }
            }
        }
        Ok(PAIRS.iter().zip(ratios).map(|(pair, ratios)| (pair.0, median(ratios))).collect())
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
