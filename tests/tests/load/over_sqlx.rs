//! Each deed over sqlx.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, try_join_all};
use pg_tenant_client::directory::Directory;
use pg_tenant_client::sqlx::{TenantPool, TenantTx, danger};
use pg_tenant_client::{Error, Retry};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Executor, PgPool, RawSql, Row};

use crate::deed::{
    Deed, Driver, INSERT, MANY, NOWHERE, RETURNING, SYSTEM_INSERT, SYSTEM_RETURNING, Shape, TENANT, TENANTS, assert_in,
};
use crate::ledger::Key;
use crate::server::Server;

const SIZE: u32 = 16;

pub struct OverSqlx {
    bare: PgPool,
    pool: TenantPool,
}

impl OverSqlx {
    pub fn new(server: &Server) -> OverSqlx {
        let options = PgPoolOptions::new().max_connections(SIZE).acquire_timeout(Duration::from_secs(60));
        let url = server.url().parse().expect("a URL");
        let bare = options.test_before_acquire(false).connect_lazy_with(url);
        OverSqlx { pool: TenantPool::from(bare.clone()), bare }
    }

    async fn begin(&self, deed: &Deed) -> Result<TenantTx, Error> {
        let tenant = self.pool.tenant(deed.tenant);
        let mut tx = tenant.begin().await?;
        let found: Option<String> = sqlx::query_scalar(TENANT).fetch_one(&mut tx).await?;
        assert_in(deed, found.as_deref());
        Ok(tx)
    }

    async fn act(&self, deed: &Deed) -> Result<(), Error> {
        let tenant = self.pool.tenant(deed.tenant);
        let [one, two] = deed.keys;
        match deed.shape {
            Shape::Once => {
                deed.commits();
                match deed.variant(13) {
                    7 => sqlx::query(INSERT).bind(one).fetch_all(&tenant).await.map(drop).map_err(Error::from),
                    8 => sqlx::query(RETURNING).bind(one).fetch_optional(&tenant).await.map(drop).map_err(Error::from),
                    9 => tenant.fetch_one(sqlx::query(RETURNING).bind(one)).await.map(drop),
                    10 => tenant.fetch_all(sqlx::query(RETURNING).bind(one)).await.map(drop),
                    11 => tenant.fetch_optional(sqlx::query(RETURNING).bind(one)).await.map(drop),
                    12 => {
                        (&tenant).prepare(sqlx::SqlStr::from_static(INSERT)).await?;
                        tenant.copy_out("copy marks (key) to stdout").await?.next().await.transpose()?;
                        tenant.execute(sqlx::query(INSERT).bind(one)).await.map(drop)
                    }
                    0 => tenant.query(sqlx::query(INSERT).bind(one)).await.map(drop),
                    1 => tenant.query_one(sqlx::query(RETURNING).bind(one)).await.map(drop),
                    2 => tenant.query_opt(sqlx::query(RETURNING).bind(one)).await.map(drop),
                    3 => tenant.query(text(INSERT, one)).await.map(drop),
                    4 => tenant.query_opt(text(RETURNING, one)).await.map(drop),
                    5 => tenant.execute(text(INSERT, one)).await.map(drop),
                    _ => tenant.execute(sqlx::query(INSERT).bind(one)).await.map(drop),
                }
            }
            Shape::Commit | Shape::LastWithCommit | Shape::Pipeline => {
                let mut tx = self.begin(deed).await?;
                insert(&mut tx, one).await?;
                match deed.variant(3) {
                    0 => drop(sqlx::query(RETURNING).bind(two).fetch_all(&mut tx).await?),
                    1 => drop(sqlx::query(RETURNING).bind(two).fetch_optional(&mut tx).await?),
                    _ => {
                        tx.prepare(sqlx::SqlStr::from_static(INSERT)).await?;
                        insert(&mut tx, two).await?;
                    }
                }
                deed.commits();
                tx.commit().await
            }
            Shape::Run => {
                let work = async |tx: &mut TenantTx| {
                    tx.savepoint(async |tx| insert(tx, one).await).await?;
                    let undone = tx.savepoint(async |tx| {
                        insert(tx, deed.undone).await?;
                        Ok::<_, Error>(tx.execute("select 1/0").await?)
                    });
                    expect(undone.await, "22012")?;
                    insert(tx, two).await?;
                    deed.commits();
                    Ok(())
                };
                let retrying = tenant.retry(Retry::default());
                match deed.variant(4) {
                    0 => tenant.run(work).await,
                    1 => retrying.run(work).await,
                    2 => tenant.transaction(async |tx| tx.transaction(work).await).await,
                    _ => retrying.transaction(work).await,
                }
            }
            Shape::Stream => {
                let mut tx = self.begin(deed).await?;
                let copy: Vec<_> = tx.copy_out("copy (select 1) to stdout").await?.collect().await;
                copy.into_iter().collect::<Result<Vec<_>, _>>()?;
                {
                    let mut rows = sqlx::query(MANY).fetch(&mut tx);
                    for _ in 0..5 {
                        rows.next().await.transpose()?;
                    }
                }
                insert(&mut tx, one).await?;
                deed.commits();
                tx.commit().await
            }
            Shape::System => self.act_in_system(deed).await,
            Shape::RunFails => {
                let failing = tenant.run(async |tx| {
                    insert(tx, one).await?;
                    Ok::<_, Error>(sqlx::query("select 1 where false").fetch_one(tx).await?)
                });
                match failing.await {
                    Err(error) if error.is_closed() => Err(error),
                    Err(_) => Ok(()),
                    Ok(row) => panic!("{deed:?} returned a row of {} columns", row.len()),
                }
            }
            Shape::Rollback => {
                let mut tx = self.begin(deed).await?;
                insert(&mut tx, one).await?;
                tx.rollback().await
            }
            Shape::Drop => {
                let mut tx = self.begin(deed).await?;
                insert(&mut tx, one).await?;
                drop(tx);
                Ok(())
            }
            Shape::FailedCommit => {
                let mut tx = self.begin(deed).await?;
                insert(&mut tx, one).await?;
                expect(tx.execute("select 1/0").await.map_err(Error::from), "22012")?;
                expect(tx.commit().await, "25P02")
            }
            Shape::Sleep => tenant.execute("select pg_sleep(0.02)").await.map(drop),
            Shape::Dirt => match deed.variant(3) {
                0 => tenant.execute("set work_mem = '65kB'").await.map(drop),
                1 => {
                    expect(self.pool.lookup("marks", "key", "1").await, "TN056")?;
                    self.pool.check().await
                }
                _ => {
                    let directory = Directory::new(self.pool.clone());
                    directory.by_slug("nobody").await?;
                    directory.by_id(&deed.tenant.parse().expect("an id")).await.map(drop)
                }
            },
        }
    }

    async fn act_in_system(&self, deed: &Deed) -> Result<(), Error> {
        let system = danger::system(&self.pool, "a storm").write();
        let one = |sql: &'static str| sqlx::query(sql).bind(deed.tenant).bind(deed.keys[0]);
        let variant = deed.variant(6);
        if variant < 4 {
            deed.commits();
        }
        match variant {
            0 => system.execute(one(SYSTEM_INSERT)).await.map(drop),
            1 => system.query(one(SYSTEM_INSERT)).await.map(drop),
            2 => system.query_one(one(SYSTEM_RETURNING)).await.map(drop),
            3 => system.query_opt(one(SYSTEM_RETURNING)).await.map(drop),
            4 => {
                sqlx::query("select 1").fetch_all(&system).await?;
                sqlx::query("select 1").fetch_optional(&system).await?;
                (&system).prepare(sqlx::SqlStr::from_static("select 1")).await?;
                system.fetch_one(sqlx::query("select 1")).await?;
                system.fetch_all(sqlx::query("select 1")).await?;
                system.fetch_optional(sqlx::query("select 1")).await?;
                drop(system.copy_out("copy marks to stdout").await?.next().await.transpose()?);
                let within =
                    system.transaction(async |tx| tx.transaction(async |tx| Ok(tx.execute("select 1").await?)).await);
                within.await?;
                let work = system.run(async |tx| {
                    let undone = tx.savepoint(async |tx| {
                        one(SYSTEM_INSERT).execute(&mut *tx).await?;
                        Ok::<_, Error>(tx.execute("select 1/0").await?)
                    });
                    expect(undone.await, "22012")?;
                    one(SYSTEM_INSERT).execute(&mut *tx).await?;
                    deed.commits();
                    Ok(())
                });
                work.await
            }
            _ => {
                let mut tx = system.begin().await?;
                one(SYSTEM_INSERT).fetch_all(&mut tx).await?;
                let copy: Vec<_> = tx.copy_out("copy (select 1) to stdout").await?.collect().await;
                copy.into_iter().collect::<Result<Vec<_>, _>>()?;
                tx.rollback().await?;
                let mut tx = system.begin().await?;
                tx.prepare(sqlx::SqlStr::from_static(SYSTEM_INSERT)).await?;
                one(SYSTEM_INSERT).fetch_optional(&mut tx).await?;
                deed.commits();
                tx.commit().await
            }
        }
    }
}

/// The key in the text, which goes with the commit then.
fn text(sql: &str, key: Key) -> RawSql {
    sqlx::raw_sql(AssertSqlSafe(sql.replace("$1", &key.to_string())))
}

async fn insert(tx: &mut TenantTx, key: Key) -> Result<(), Error> {
    sqlx::query(INSERT).bind(key).execute(tx).await?;
    Ok(())
}

/// This error, or that of a connection that was lost.
fn expect<T>(result: Result<T, Error>, code: &str) -> Result<(), Error> {
    match result {
        Err(error) if error.code() == Some(code) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => panic!("{code} was to be reported"),
    }
}

impl Driver for OverSqlx {
    fn perform<'a>(&'a self, deed: &'a Deed) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.act(deed))
    }

    fn every_slot(&self) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let lent = (0..SIZE as usize).map(|n| async move {
                let mut tx = self.pool.tenant(TENANTS[n % TENANTS.len()]).begin().await?;
                let found: String = sqlx::query_scalar(TENANT).fetch_one(&mut tx).await?;
                assert_eq!(found, TENANTS[n % TENANTS.len()]);
                Ok::<_, Error>(tx)
            });
            for tx in try_join_all(lent).await? {
                tx.rollback().await?;
            }
            assert_eq!(self.pool.size(), SIZE);
            let raw = (0..SIZE).map(|_| async {
                let mut connection = self.bare.acquire().await?;
                let found: String = sqlx::query_scalar(NOWHERE).fetch_one(&mut *connection).await?;
                Ok::<_, Error>((found, connection))
            });
            Ok(try_join_all(raw).await?.into_iter().map(|(found, _)| found).collect())
        })
    }
}
