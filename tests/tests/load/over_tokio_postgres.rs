//! Each deed over tokio-postgres.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, try_join_all};
use pg_tenant_client::pipeline::execute;
use pg_tenant_client::{Error, TenantPool, TenantTx, danger};

use crate::deed::{Deed, Driver, INSERT, MANY, NOWHERE, SYSTEM_INSERT, Shape, TENANT, TENANTS, assert_in};
use crate::server::Server;

const SIZE: usize = 16;

pub struct OverTokioPostgres(TenantPool);

impl OverTokioPostgres {
    pub fn new(server: &Server) -> OverTokioPostgres {
        let pool = TenantPool::builder(server.db.config(&server.operator)).max_size(SIZE);
        OverTokioPostgres(pool.wait_timeout(Duration::from_secs(20)).build().expect("a pool"))
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
                tenant.execute(INSERT, &[&one]).await.map(drop)
            }
            Shape::Commit => {
                let mut tx = self.begin(deed).await?;
                tx.execute(INSERT, &[&one]).await?;
                tx.query(INSERT, &[&two]).await?;
                deed.commits();
                tx.commit().await
            }
            Shape::LastWithCommit => {
                let mut tx = tenant.begin().await?;
                tx.execute(INSERT, &[&one]).await?;
                deed.commits();
                tx.execute_then_commit(INSERT, &[&two]).await.map(drop)
            }
            Shape::Pipeline => {
                deed.commits();
                tenant.pipeline((execute(INSERT, &[&one]), execute(INSERT, &[&two]))).await.map(drop)
            }
            Shape::Run => {
                let work = tenant.run(async |tx| {
                    tx.savepoint(async |tx| tx.execute(INSERT, &[&one]).await).await?;
                    let undone = tx.savepoint(async |tx| {
                        tx.execute(INSERT, &[&deed.undone]).await?;
                        tx.execute("select 1/0", &[]).await
                    });
                    expect(undone.await, "22012")?;
                    tx.execute(INSERT, &[&two]).await?;
                    deed.commits();
                    Ok(())
                });
                work.await
            }
            Shape::Stream => {
                let mut tx = self.begin(deed).await?;
                let mut rows = tx.query_stream(MANY, &[]).await?;
                for _ in 0..5 {
                    rows.next().await.transpose()?;
                }
                drop(rows);
                tx.execute(INSERT, &[&one]).await?;
                deed.commits();
                tx.commit().await
            }
            Shape::System => {
                deed.commits();
                let system = danger::system(&self.0, "a storm").write();
                system.execute(SYSTEM_INSERT, &[&deed.tenant, &one]).await.map(drop)
            }
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
            Shape::Dirt => tenant.execute("set work_mem = '65kB'", &[]).await.map(drop),
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
