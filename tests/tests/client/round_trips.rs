//! Each call costs the round trips that its documentation says.

use std::time::Duration;

use pg_tenant_client::pipeline::{execute, query};
use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_client::tokio_postgres::types::ToSql;
use pg_tenant_client::{Error, danger};
use pg_tenant_tests::Route;
use sqlx::Executor;
use tokio::time::timeout;

use super::ROUTE;
use super::fixture::{Fixture, INSERT, PATIENCE};
use super::proxy::Proxy;

/// Slow enough that what is sent together arrives together. Client and wire have one thread, so nothing is carried
/// before the client has sent all it sends without waiting.
const DELAY: Duration = Duration::from_millis(5);

/// Waits until sqlx's pool has its only connection back, which it pings before.
async fn is_back(pool: &SqlxPool) {
    let idle = async {
        while pool.idle() == 0 {
            tokio::time::sleep(DELAY).await;
        }
    };
    timeout(PATIENCE, idle).await.expect("an idle connection");
}

#[tokio::test]
async fn over_tokio_postgres() {
    let fixture = Fixture::new("t_pg").await;
    let wire = Proxy::start(fixture.port(), DELAY).await;
    let pool = fixture.pool_of(fixture.config_at(wire.port, &fixture.operator), 1);
    let acme = pool.tenant("acme");
    pool.check().await.unwrap();
    wire.round_trips();

    acme.query("select * from orders where id = $1", &[&1i64]).await.unwrap();
    assert_eq!(wire.round_trips(), 2, "the first use of a statement prepares it");
    for _ in 0..3 {
        acme.query("select * from orders where id = $1", &[&1i64]).await.unwrap();
        assert_eq!(wire.round_trips(), 1, "begin, enter, statement and commit travel together");
    }

    acme.begin().await.unwrap().commit().await.unwrap();
    drop(acme.begin().await.unwrap());
    assert_eq!(wire.round_trips(), 0, "nothing to do, nothing sent");

    acme.execute(INSERT, &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 1, "a statement without rows or parameters is prepared on the way");
    let mut tx = acme.begin().await.unwrap();
    tx.execute(INSERT, &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 1, "begin and enter ride with the first statement");
    tx.execute(INSERT, &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 1);
    tx.savepoint(async |tx| tx.execute(INSERT, &[]).await).await.unwrap();
    assert_eq!(wire.round_trips(), 2, "a savepoint rides with its first statement, release is waited for");
    tx.savepoint(async |_| Ok::<_, Error>(())).await.unwrap();
    assert_eq!(wire.round_trips(), 0, "an empty savepoint is not made");
    tx.commit().await.unwrap();
    assert_eq!(wire.round_trips(), 1, "the probe travels with commit");

    let system = danger::system(&pool, "a test");
    system.query("select count(*) from orders", &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 2, "the first use of a statement prepares it");
    system.query("select count(*) from orders", &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 1, "the system context is entered in the same flight");

    let mut tx = acme.begin().await.unwrap();
    tx.execute(INSERT, &[]).await.unwrap();
    wire.round_trips();
    tx.query_then_commit("select * from orders where id = $1", &[&1i64]).await.unwrap();
    assert_eq!(wire.round_trips(), 1, "the last statement and commit travel together");
    acme.begin().await.unwrap().execute_then_commit(INSERT, &[]).await.unwrap();
    assert_eq!(wire.round_trips(), 1, "and so do begin and enter, where it is the first as well");

    let mut tx = acme.begin().await.unwrap();
    tx.execute(INSERT, &[]).await.unwrap();
    drop(tx);
    acme.execute(INSERT, &[]).await.unwrap();
    assert!(wire.round_trips() <= 3, "returning a connection waits for nothing");
}

#[tokio::test]
async fn of_a_pipeline() {
    let fixture = Fixture::new("t_pipe").await;
    let wire = Proxy::start(fixture.port(), DELAY).await;
    let pool = fixture.pool_of(fixture.config_at(wire.port, &fixture.db.roles.app), 1);
    let acme = pool.tenant("acme");
    pool.check().await.unwrap();
    wire.round_trips();

    let (id, update) = (1i64, "update orders set total = total where id = $1");
    let params: [&(dyn ToSql + Sync); 1] = [&id];
    let select = |n: usize| vec![query("select * from orders where id = $1", &params); n];
    for flights in [2, 1] {
        acme.pipeline((select(3), execute(INSERT, &[]), select(1))).await.unwrap();
        assert_eq!(wire.round_trips(), flights, "one text was to be prepared, and only once");
    }
    for flights in [2, 1] {
        let mut tx = acme.begin().await.unwrap();
        tx.pipeline((execute(INSERT, &[]), execute(update, &params))).await.unwrap();
        assert_eq!(wire.round_trips(), flights);
        tx.pipeline((execute(INSERT, &[]), select(2))).await.unwrap();
        assert_eq!(wire.round_trips(), 1);
        tx.pipeline_then_commit((execute(INSERT, &[]), select(1))).await.unwrap();
        assert_eq!(wire.round_trips(), 1);
    }
    assert!(acme.pipeline(select(0)).await.unwrap().is_empty());
    assert_eq!(wire.round_trips(), 0, "nothing to do, nothing sent");

    // Another connection of the pool knows the types already.
    let pool = fixture.pool_of(fixture.config_at(wire.port, &fixture.db.roles.app), 2);
    pool.tenant("acme").execute(update, &params).await.unwrap();
    let held = pool.tenant("acme").begin().await.unwrap();
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    wire.round_trips();
    tx.pipeline((execute(update, &params), execute(INSERT, &[]))).await.unwrap();
    assert_eq!(wire.round_trips(), 1, "what is not prepared here but elsewhere needs no flight of its own");
    tx.execute(update, &params).await.unwrap();
    assert_eq!(wire.round_trips(), 1);
    drop((held, tx));
    let prepared = "select count(*) from pg_prepared_statements where statement like 'update%'";
    let ask = async || -> i64 { pool.tenant("acme").query_one(prepared, &[]).await.unwrap().get(0) };
    let mut prepared = ask().await;
    match ROUTE {
        Route::Direct | Route::Session => assert_eq!(prepared, 1),
        Route::Transaction => assert_eq!(prepared, 0),
        // Also those that PgBouncer keeps for others, on whichever connection of its it gives; it may have closed some.
        _ => {
            for _ in 0..100 {
                pool.tenant("acme").execute(update, &params).await.unwrap();
                prepared = prepared.max(ask().await);
            }
            assert!(prepared > 0);
        }
    }
}

#[tokio::test]
async fn over_sqlx() {
    let fixture = Fixture::new("t_sqlx").await;
    let wire = Proxy::start(fixture.port(), DELAY).await;
    let pool = fixture.sqlx_at(wire.port, &fixture.operator, 1);
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.execute(INSERT).await.unwrap();
    wire.round_trips();
    tx.execute(INSERT).await.unwrap();
    assert_eq!(wire.round_trips(), 1);
    tx.commit().await.unwrap();
    is_back(&pool).await;
    assert_eq!(wire.round_trips(), 2, "the probe travels with commit; then sqlx pings what comes back to its pool");
    let tx = pool.tenant("acme").begin().await.unwrap();
    assert_eq!(wire.round_trips(), 1, "begin and enter travel together, and nothing is tested before");
    tx.rollback().await.unwrap();
    is_back(&pool).await;
    assert_eq!(wire.round_trips(), 2, "rollback, and the ping");

    let tx = pg_tenant_client::sqlx::danger::system(&pool, "a test").begin().await.unwrap();
    assert_eq!(wire.round_trips(), 1, "the same for the system context");
    tx.rollback().await.unwrap();
}

/// With the ping of what comes back to sqlx's pool.
#[tokio::test]
async fn of_a_single_statement_over_sqlx() {
    let fixture = Fixture::new("t_once").await;
    let wire = Proxy::start(fixture.port(), DELAY).await;
    let pool = fixture.sqlx_at(wire.port, &fixture.operator, 1);
    let acme = pool.tenant("acme");
    let trips = async || {
        is_back(&pool).await;
        wire.round_trips()
    };
    acme.execute(INSERT).await.unwrap();
    trips().await;

    acme.execute(INSERT).await.unwrap();
    assert_eq!(trips().await, 2 + 1, "a text and its commit travel together");
    assert_eq!(acme.query("select * from orders where id = 1").await.unwrap().len(), 1);
    assert_eq!(trips().await, 2 + 1);
    assert!(acme.query_opt(sqlx::raw_sql("select * from orders where id = 1")).await.unwrap().is_some());
    assert_eq!(trips().await, 2 + 1);
    acme.query_one("select * from orders where id = 1").await.unwrap();
    assert_eq!(trips().await, 3 + 1, "without a row it must not commit");
    pg_tenant_client::sqlx::danger::system(&pool, "a test").query("select count(*) from orders").await.unwrap();
    assert_eq!(trips().await, 2 + 1);

    let nameless = usize::from(ROUTE == Route::Transaction);
    for parse in [1, nameless] {
        acme.query(sqlx::query("select * from orders where id = $1").bind(1i64)).await.unwrap();
        assert_eq!(trips().await, 3 + parse + 1, "arguments take a message of their own");
    }
}
