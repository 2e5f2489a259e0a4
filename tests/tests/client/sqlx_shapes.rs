//! sqlx's own ways of asking do not work on a tenant's transaction.

use futures_util::TryStreamExt;
use pg_tenant_client::Error;
use pg_tenant_client::sqlx::TenantTx;
use sqlx::{Executor, FromRow};

use super::fixture::Fixture;

#[derive(FromRow)]
struct Order {
    tenant_id: String,
    total: i64,
}

async fn orders(tx: &mut TenantTx) -> Result<Vec<Order>, Error> {
    Ok(sqlx::query_as("select * from orders order by id").fetch_all(&mut *tx).await?)
}

#[tokio::test]
async fn queries_of_every_kind() {
    let fixture = Fixture::new("q_kinds").await;
    let pool = fixture.sqlx(1);
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    assert_eq!(tx.tenant_id().as_str(), "acme");
    assert!(orders(&mut tx).await.unwrap().iter().all(|order| order.tenant_id == "acme" && order.total < 3));
    let one: i64 =
        sqlx::query_scalar("select total from orders where id = $1").bind(1i64).fetch_one(&mut tx).await.unwrap();
    assert_eq!(one, 1);
    let streamed: Vec<_> = sqlx::query("select * from orders").fetch(&mut tx).try_collect().await.unwrap();
    assert_eq!(streamed.len(), 2);
    assert!(sqlx::query("select 1 where false").fetch_optional(&mut tx).await.unwrap().is_none());
    let statement = (&mut tx).prepare(sqlx::SqlStr::from_static("select $1::text")).await.unwrap();
    sqlx::Statement::query(&statement).bind("x").fetch_one(&mut tx).await.unwrap();
    let done = tx.execute("update orders set total = total + 10").await.unwrap();
    assert_eq!(done.rows_affected(), 2);
    tx.rollback().await.unwrap();

    let sum = pool.tenant("acme").query_one("select sum(total)::bigint from orders").await.unwrap();
    assert_eq!(sqlx::Row::get::<i64, _>(&sum, 0), 3);
    let others = pool.tenant("globex").query("select * from orders").await.unwrap();
    assert!(others.is_empty());
    let read_only = pool.tenant("acme").read_only(true).execute("delete from orders").await.unwrap_err();
    assert_eq!(read_only.code(), Some("25006"));
}

#[tokio::test]
async fn an_application_has_a_pool_already() {
    let fixture = Fixture::new("q_from").await;
    let plain = sqlx::PgPool::connect(&fixture.db.url(&fixture.db.roles.app)).await.unwrap();
    let pool = pg_tenant_client::sqlx::TenantPool::from(plain.clone());
    pool.tenant("acme").execute("select 1").await.unwrap();
    // Beside the client there is no tenant, and the server says so.
    let refused = sqlx::query("select * from orders").fetch_all(&plain).await.unwrap_err();
    assert!(Error::from(refused).is_no_tenant());
}
