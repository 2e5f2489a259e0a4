//! Each deed over tokio-postgres.

use std::time::Duration;

use futures_util::future::{BoxFuture, try_join_all};
use futures_util::{StreamExt, TryStreamExt};
use pg_tenant_client::directory::Directory;
use pg_tenant_client::pipeline::execute;
use pg_tenant_client::tokio_postgres::types::ToSql;
use pg_tenant_client::{Error, Retry, TenantPool, TenantTx, danger};

use crate::deed::{
    Deed, Driver, INSERT, MANY, NOWHERE, RETURNING, SYSTEM_INSERT, SYSTEM_RETURNING, Shape, TENANT, TENANTS, assert_in,
};
use crate::server::Server;

const SIZE: usize = 16;

pub struct OverTokioPostgres(TenantPool);

impl OverTokioPostgres {
    pub fn new(server: &Server) -> OverTokioPostgres {
        let pool = TenantPool::builder(server.url().parse().expect("a URL")).max_size(SIZE);
        OverTokioPostgres(pool.wait_timeout(Duration::from_secs(60)).build().expect("a pool"))
    }

    async fn begin(&self, deed: &Deed) -> Result<TenantTx, Error> {
        let mut tx = self.0.tenant(deed.tenant).begin().await?;
        assert_in(deed, tx.query_one(TENANT, &[]).await?.get(0));
        Ok(tx)
    }

    async fn act(&self, deed: &Deed) -> Result<(), Error> {
        let tenant = self.0.tenant(deed.tenant);
        let [one, two] = deed.keys;
        match deed.shape {
            Shape::Once => {
                deed.commits();
                match deed.variant(7) {
                    5 => {
                        let rows = tenant.query_stream(RETURNING, &[&one]).await?;
                        rows.try_for_each(|_| async { Ok(()) }).await
                    }
                    6 => {
                        tenant.copy_out("copy marks (key) to stdout").await?.next().await.transpose()?;
                        tenant.execute(INSERT, &[&one]).await.map(drop)
                    }
                    0 => tenant.query(INSERT, &[&one]).await.map(drop),
                    1 => tenant.query_one(RETURNING, &[&one]).await.map(drop),
                    2 => tenant.query_opt(RETURNING, &[&one]).await.map(drop),
                    3 => tenant.insert_many("marks", &["key"], [[one]]).await.map(drop),
                    _ => tenant.execute(INSERT, &[&one]).await.map(drop),
                }
            }
            Shape::Commit => {
                let mut tx = self.begin(deed).await?;
                tx.execute(INSERT, &[&one]).await?;
                match deed.variant(6) {
                    0 => drop(tx.query(INSERT, &[&two]).await?),
                    1 => drop(tx.query_opt(RETURNING, &[&two]).await?),
                    2 => tx.batch_execute(&format!("select 1; insert into marks (key) values ({two})")).await?,
                    3 => _ = tx.insert_many("marks", &["key"], [[two]]).await?,
                    4 => _ = danger::raw_client(&mut tx).await?.execute(INSERT, &[&two]).await?,
                    _ => drop(tx.pipeline(vec![execute(INSERT, &[&two])]).await?),
                }
                deed.commits();
                tx.commit().await
            }
            Shape::LastWithCommit => {
                let mut tx = tenant.begin().await?;
                tx.execute(INSERT, &[&one]).await?;
                deed.commits();
                match deed.variant(3) {
                    0 => tx.execute_then_commit(INSERT, &[&two]).await.map(drop),
                    1 => tx.query_then_commit(INSERT, &[&two]).await.map(drop),
                    _ => tx.pipeline_then_commit(execute(INSERT, &[&two])).await.map(drop),
                }
            }
            Shape::Pipeline => {
                deed.commits();
                tenant.pipeline((execute(INSERT, &[&one]), execute(INSERT, &[&two]))).await.map(drop)
            }
            Shape::Run => {
                let work = async |tx: &mut TenantTx| {
                    tx.savepoint(async |tx| tx.execute(INSERT, &[&one]).await).await?;
                    let undone = tx.savepoint(async |tx| {
                        tx.execute(INSERT, &[&deed.undone]).await?;
                        tx.execute("select 1/0", &[]).await
                    });
                    expect(undone.await, "22012")?;
                    tx.execute(INSERT, &[&two]).await?;
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
                let mut rows = tx.query_stream(MANY, &[]).await?;
                for _ in 0..5 {
                    rows.next().await.transpose()?;
                }
                drop(rows);
                tx.copy_out("copy marks to stdout").await?.next().await.transpose()?;
                tx.execute(INSERT, &[&one]).await?;
                deed.commits();
                tx.commit().await
            }
            Shape::System => self.act_in_system(deed).await,
            Shape::RunFails => {
                let failing = tenant.run(async |tx| {
                    tx.execute(INSERT, &[&one]).await?;
                    tx.query_one("select 1 where false", &[]).await
                });
                match failing.await {
                    Err(error) if error.is_closed() => Err(error),
                    Err(_) => Ok(()),
                    Ok(row) => panic!("{deed:?} returned {row:?}"),
                }
            }
            Shape::Rollback => {
                let mut tx = self.begin(deed).await?;
                tx.execute(INSERT, &[&one]).await?;
                tx.rollback().await
            }
            Shape::Drop => {
                let mut tx = self.begin(deed).await?;
                tx.execute(INSERT, &[&one]).await?;
                drop(tx);
                Ok(())
            }
            Shape::FailedCommit => {
                let mut tx = self.begin(deed).await?;
                tx.execute(INSERT, &[&one]).await?;
                expect(tx.execute("select 1/0", &[]).await, "22012")?;
                expect(tx.commit().await, "25P02")
            }
            Shape::Sleep => tenant.query("select pg_sleep(0.02)", &[]).await.map(drop),
            Shape::Dirt => match deed.variant(4) {
                0 => tenant.execute("set work_mem = '65kB'", &[]).await.map(drop),
                1 => {
                    expect(self.0.lookup("marks", "key", "1").await, "TN056")?;
                    self.0.check().await
                }
                2 => {
                    let directory = Directory::new(self.0.clone());
                    directory.by_slug("nobody").await?;
                    directory.by_id(&deed.tenant.parse().expect("an id")).await.map(drop)
                }
                _ => {
                    let unscoped = danger::connection_without_tenant(&self.0).await?;
                    Ok(unscoped.batch_execute("begin; select 1").await?)
                }
            },
        }
    }

    async fn act_in_system(&self, deed: &Deed) -> Result<(), Error> {
        let system = danger::system(&self.0, "a storm").write();
        let (variant, one) = (deed.variant(12), &deed.keys[0]);
        let (tenant, params): (_, [&(dyn ToSql + Sync); 2]) = (deed.tenant, [&deed.tenant, one]);
        let columns = ["tenant_id", "key"];
        if variant < 6 {
            deed.commits();
            return match variant {
                0 => system.execute(SYSTEM_INSERT, &params).await.map(drop),
                1 => system.query(SYSTEM_INSERT, &params).await.map(drop),
                2 => system.query_one(SYSTEM_RETURNING, &params).await.map(drop),
                3 => system.query_opt(SYSTEM_RETURNING, &params).await.map(drop),
                4 => system.insert_many("marks", &columns, [(tenant, one)]).await.map(drop),
                _ => system.pipeline(execute(SYSTEM_INSERT, &params)).await.map(drop),
            };
        }
        if variant == 6 {
            drop(system.query_stream(MANY, &[]).await?.next().await.transpose()?);
            drop(system.copy_out("copy marks to stdout").await?.next().await.transpose()?);
            let within =
                system.transaction(async |tx| tx.transaction(async |tx| tx.execute("select 1", &[]).await).await);
            within.await?;
            let work = system.run(async |tx| {
                let undone = tx.savepoint(async |tx| {
                    tx.execute(SYSTEM_INSERT, &[&tenant, &deed.undone]).await?;
                    tx.query("select 1/0", &[]).await
                });
                expect(undone.await, "22012")?;
                tx.execute(SYSTEM_INSERT, &params).await?;
                deed.commits();
                Ok(())
            });
            return work.await;
        }
        let mut tx = system.begin().await?;
        match variant {
            7 => drop(tx.query_stream(MANY, &[]).await?.next().await.transpose()?),
            8 => {
                tx.batch_execute("select 1; select 2").await?;
                drop(tx.copy_out("copy marks to stdout").await?.next().await.transpose()?);
            }
            9 => drop(tx.query_opt("select 1", &[]).await?),
            10 => {
                tx.insert_many("marks", &columns, [(tenant, one)]).await?;
                deed.commits();
                return tx.commit().await;
            }
            _ => {
                drop(tx.query_one("select 1", &[]).await?);
                tx.rollback().await?;
                tx = system.begin().await?;
                _ = tx.pipeline(execute("select 1", &[])).await?;
            }
        }
        deed.commits();
        match variant {
            7 => {
                tx.execute(SYSTEM_INSERT, &params).await?;
                tx.commit().await
            }
            8 => tx.execute_then_commit(SYSTEM_INSERT, &params).await.map(drop),
            9 => tx.query_then_commit(SYSTEM_INSERT, &params).await.map(drop),
            _ => tx.pipeline_then_commit(execute(SYSTEM_INSERT, &params)).await.map(drop),
        }
    }
}

/// This error, or that of a connection that was lost.
fn expect<T: std::fmt::Debug>(result: Result<T, Error>, code: &str) -> Result<(), Error> {
    match result {
        Err(error) if error.code() == Some(code) => Ok(()),
        Err(error) => Err(error),
        Ok(value) => panic!("{value:?} where {code} was to be reported"),
    }
}

impl Driver for OverTokioPostgres {
    fn perform<'a>(&'a self, deed: &'a Deed) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.act(deed))
    }

    fn every_slot(&self) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let lent = (0..SIZE).map(|n| async move {
                let mut tx = self.0.tenant(TENANTS[n % TENANTS.len()]).begin().await?;
                let found: String = tx.query_one(TENANT, &[]).await?.get(0);
                assert_eq!(found, TENANTS[n % TENANTS.len()]);
                Ok::<_, Error>(tx)
            });
            // All at once: one slot less, and the last would wait in vain.
            drop(try_join_all(lent).await?);
            assert_eq!((self.0.status().waiting, self.0.status().size), (0, SIZE));
            let raw = (0..SIZE).map(|_| async {
                let connection = danger::connection_without_tenant(&self.0).await?;
                Ok(connection.query_one(NOWHERE, &[]).await?.get(0))
            });
            try_join_all(raw).await
        })
    }
}
