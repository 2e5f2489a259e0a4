//! sqlx's own ways of querying work on a tenant's transaction.

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

/// A single statement keeps the type of its rows; what cannot be read into it was not committed.
#[tokio::test]
async fn typed_one_shots() {
    let fixture = Fixture::new("q_typed").await;
    let pool = fixture.sqlx(1);
    let acme = pool.tenant("acme");
    let orders: Vec<Order> = acme.fetch_all(sqlx::query_as("select * from orders order by id")).await.unwrap();
    assert_eq!(orders.iter().map(|order| order.total).collect::<Vec<_>>(), [1, 2]);
    assert!(orders.iter().all(|order| order.tenant_id == "acme"));
    let total = sqlx::query_scalar("select total from orders where id = $1");
    let total: i64 = acme.fetch_one(total.bind(1i64)).await.unwrap();
    let mapped =
        sqlx::query("select total from orders").map(|row: sqlx::postgres::PgRow| sqlx::Row::get::<i64, _>(&row, 0));
    let first = acme.fetch_optional(mapped).await.unwrap();
    assert_eq!((total, first), (1, Some(1)));
    let none: Option<i64> = acme.fetch_optional(sqlx::query_scalar("select 1::int8 where false")).await.unwrap();
    assert_eq!(none, None);
    let row = acme.fetch_one(sqlx::query("select 1")).await.unwrap();
    assert_eq!(sqlx::Row::get::<i32, _>(&row, 0), 1);

    let missing = acme.fetch_one(sqlx::query_scalar::<_, i64>("select 1::int8 where false")).await.unwrap_err();
    assert!(missing.is_no_row());
    let unreadable = sqlx::query_scalar::<_, bool>("insert into orders (total) values (9) returning total");
    acme.fetch_one(unreadable).await.unwrap_err();
    let none = sqlx::query_scalar::<_, i64>("update orders set total = 99 where total > 50 returning total");
    assert!(acme.fetch_one(none).await.unwrap_err().is_no_row());
    assert_eq!(fixture.orders("acme").await, 2, "nothing was committed");
    let added = sqlx::query_scalar::<_, i64>("insert into orders (total) values (9) returning total");
    assert_eq!(acme.fetch_one(added).await.unwrap(), 9);
    assert_eq!(fixture.orders("acme").await, 3);
}

/// An executor that begins and ends by itself reports the driver's errors as the driver's.
#[tokio::test]
async fn a_handle_is_an_executor() {
    let fixture = Fixture::new("q_handle").await;
    let pool = fixture.sqlx(1);
    let acme = pool.tenant("acme");
    let one: i64 = sqlx::query_scalar("select total from orders order by 1").fetch_one(&acme).await.unwrap();
    let orders: Vec<Order> = sqlx::query_as("select * from orders").fetch_all(&acme).await.unwrap();
    assert_eq!((one, orders.len()), (1, 2));
    let done = sqlx::query("update orders set total = total + 10").execute(&acme).await.unwrap();
    assert_eq!((done.rows_affected(), fixture.orders("acme").await), (2, 2));
    let statement = (&acme).prepare(sqlx::SqlStr::from_static("select $1::text")).await.unwrap();
    sqlx::Statement::query(&statement).bind("x").fetch_one(&acme).await.unwrap();
    let failed = sqlx::query("select 1/0").execute(&acme).await.unwrap_err();
    assert_eq!(failed.as_database_error().and_then(|db| db.code()).as_deref(), Some("22012"));
    let suspended = sqlx::query("select 1").execute(&pool.tenant("sleepy")).await.unwrap_err();
    assert!(Error::from(suspended).is_suspended());
    assert_eq!(sqlx::query("select * from orders").fetch_all(&pool.tenant("globex")).await.unwrap().len(), 0);
    fixture.nothing_is_left("executors").await;
}
