//! Code for single statements also works inside a transaction, and the other way round.

use futures_util::TryStreamExt;
use pg_tenant_client::pipeline::{execute, query_one};
use pg_tenant_client::sqlx::TenantExecutor as SqlxExecutor;
use pg_tenant_client::{Error, TenantExecutor};

use super::fixture::{Fixture, INSERT};

/// One repository, over whatever runs statements inside a tenant.
struct Orders<E>(E);

impl<E: TenantExecutor> Orders<E> {
    async fn count(&mut self) -> Result<i64, Error> {
        Ok(self.0.query_one("select count(*) from orders", &[]).await?.get(0))
    }

    /// Every call of the trait, one order each.
    async fn add_six(&mut self) -> Result<(), Error> {
        assert_eq!(self.0.execute(INSERT, &[]).await?, 1);
        self.0.query(INSERT, &[]).await?;
        assert!(self.0.query_opt(INSERT, &[]).await?.is_none());
        let total = self.count().await? + 5000;
        self.0.insert_many("orders", &["total"], [(total,)]).await?;
        let (one, _) = self.0.pipeline((execute(INSERT, &[]), query_one("select 1", &[]))).await?;
        assert_eq!(one, 1);
        let added = "insert into orders (total) values (nextval('totals')) returning id";
        let rows: Vec<_> = self.0.query_stream(added, &[]).await?.try_collect().await?;
        assert_eq!(rows.len(), 1);
        Ok(())
    }

    /// Both or none.
    async fn add_two(&mut self, and: &str) -> Result<u64, Error> {
        self.0
            .transaction(async |tx| {
                tx.execute(INSERT, &[]).await?;
                tx.execute(INSERT, &[]).await?;
                tx.execute(and, &[]).await
            })
            .await
    }

    /// With an error of the application's own.
    async fn add_and_refuse(&mut self) -> Result<(), Refused> {
        self.0
            .run(async |tx| {
                tx.execute(INSERT, &[]).await?;
                Err(Refused::ByTheApplication)
            })
            .await
    }
}

#[derive(Debug)]
enum Refused {
    ByTheApplication,
    #[expect(dead_code, reason = "shown")]
    By(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::By(error)
    }
}

/// What a request's handler does; the futures are `Send`.
async fn all_of_it<E: TenantExecutor>(mut orders: Orders<E>) -> Result<(), Error> {
    let before = orders.count().await?;
    orders.add_six().await?;
    assert_eq!(orders.add_two("select 1").await?, 1);
    assert_eq!(orders.add_two("select 1/0").await.unwrap_err().code(), Some("22012"));
    assert!(matches!(orders.add_and_refuse().await, Err(Refused::ByTheApplication)));
    assert_eq!(orders.count().await? - before, 8);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tokio_postgres() {
    let fixture = Fixture::new("r_once").await;
    let pool = fixture.pool(2);
    let acme = pool.tenant("acme");
    assert_eq!(TenantExecutor::tenant_id(&acme).map(|id| id.as_str()), Some("acme"));
    // The handle itself, a borrowed one, a transaction, a borrowed one; what is spawned is Send.
    let handle = acme.clone();
    tokio::spawn(async move { Orders(handle).count().await }).await.unwrap().unwrap();
    all_of_it(Orders(acme.clone())).await.unwrap();
    all_of_it(Orders(&acme)).await.unwrap();
    assert_eq!(fixture.orders("acme").await, 2 + 8 + 8);

    let mut tx = acme.begin().await.unwrap();
    all_of_it(Orders(&mut tx)).await.unwrap();
    all_of_it(Orders(&mut tx)).await.unwrap();
    assert_eq!(Orders(&mut tx).count().await.unwrap(), 2 + 4 * 8);
    assert_eq!(fixture.orders("acme").await, 2 + 2 * 8, "what is in the transaction is not committed");
    tx.rollback().await.unwrap();
    acme.transaction(async |tx| all_of_it(Orders(tx)).await).await.unwrap();
    assert_eq!(fixture.orders("acme").await, 2 + 3 * 8);
    let mut others = Orders(pool.tenant("globex"));
    assert_eq!(others.count().await.unwrap(), 0);
    assert!(Orders(pool.tenant("nobody")).count().await.unwrap_err().is_unknown_tenant());
}

struct SqlxOrders<E>(E);

/// One statement takes any executor of sqlx's.
async fn count(db: impl sqlx::PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from orders").fetch_one(db).await
}

impl<E: SqlxExecutor> SqlxOrders<E> {
    async fn add_two(&mut self) -> Result<i64, Error> {
        sqlx::query(INSERT).execute(self.0.executor()).await?;
        sqlx::query(INSERT).fetch_all(self.0.executor()).await?;
        Ok(count(self.0.executor()).await?)
    }

    async fn add_two_and(&mut self, and: &'static str) -> Result<(), Error> {
        self.0
            .transaction(async |tx| {
                sqlx::query(INSERT).execute(&mut *tx).await?;
                sqlx::query(INSERT).execute(&mut *tx).await?;
                sqlx::query(and).execute(&mut *tx).await?;
                Ok(())
            })
            .await
    }
}

async fn all_over_sqlx<E: SqlxExecutor>(mut orders: SqlxOrders<E>) -> Result<(), Error> {
    let before = count(orders.0.executor()).await?;
    assert_eq!(orders.add_two().await? - before, 2);
    orders.add_two_and("select 1").await?;
    assert_eq!(orders.add_two_and("select 1/0").await.unwrap_err().code(), Some("22012"));
    assert_eq!(count(orders.0.executor()).await? - before, 4);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlx() {
    let fixture = Fixture::new("r_once_sqlx").await;
    let pool = fixture.sqlx(2);
    let acme = pool.tenant("acme");
    let handle = acme.clone();
    tokio::spawn(async move { count(&handle).await }).await.unwrap().unwrap();
    all_over_sqlx(SqlxOrders(acme.clone())).await.unwrap();
    all_over_sqlx(SqlxOrders(&acme)).await.unwrap();
    let mut tx = acme.begin().await.unwrap();
    assert_eq!(SqlxExecutor::tenant_id(&tx).map(|id| id.as_str()), Some("acme"));
    all_over_sqlx(SqlxOrders(&mut tx)).await.unwrap();
    all_over_sqlx(SqlxOrders(&mut tx)).await.unwrap();
    assert_eq!(count(&mut tx).await.unwrap(), 2 + 4 * 4);
    assert_eq!(fixture.orders("acme").await, 2 + 2 * 4);
    tx.rollback().await.unwrap();
    assert_eq!(fixture.orders("acme").await, 2 + 2 * 4);
    assert_eq!(count(&pool.tenant("globex")).await.unwrap(), 0);
    assert!(Error::from(count(&pool.tenant("nobody")).await.unwrap_err()).is_unknown_tenant());
    fixture.nothing_is_left("a repository").await;
}
