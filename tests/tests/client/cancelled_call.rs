//! A dropped call leaves no transaction, no tenant, no lock and no lost slot.

use std::time::Duration;

use futures_util::TryStreamExt;
use pg_tenant_client::{Error, danger};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::ROUTE;
use super::fixture::{Fixture, INSERT};
use super::sweep::sweep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query() {
    sweep("c_query", |pool| {
        Box::pin(async { drop(pool.tenant("globex").query("select * from orders", &[]).await.unwrap()) })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_one() {
    sweep("c_query_one", |pool| {
        Box::pin(async { drop(pool.tenant("globex").query_one("select $1::int", &[&1]).await.unwrap()) })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_opt() {
    sweep("c_query_opt", |pool| {
        Box::pin(async { drop(pool.tenant("globex").query_opt("select where false", &[]).await.unwrap()) })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn execute() {
    sweep("c_execute", |pool| {
        Box::pin(async { assert_eq!(pool.tenant("globex").execute(INSERT, &[]).await.unwrap(), 1) })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn begin_and_commit() {
    sweep("c_commit", |pool| {
        Box::pin(async {
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            tx.execute(INSERT, &[]).await.unwrap();
            tx.query_opt("select 1", &[]).await.unwrap();
            tx.query_one("select $1::int", &[&1]).await.unwrap();
            tx.commit().await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_and_rollback() {
    sweep("c_rollback", |pool| {
        Box::pin(async {
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            tx.batch_execute("select 1; select 2").await.unwrap();
            tx.execute(INSERT, &[]).await.unwrap();
            tx.rollback().await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream() {
    sweep("c_stream", |pool| {
        Box::pin(async {
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            let rows = tx.query_stream("select generate_series(1, 5000)", &[]).await.unwrap();
            let count = rows.try_fold(0, |n, _| async move { Ok(n + 1) }).await.unwrap();
            assert_eq!(count, 5000);
            tx.commit().await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_and_savepoint() {
    sweep("c_savepoint", |pool| {
        Box::pin(async {
            let globex = pool.tenant("globex");
            let work = globex.run(async |tx| {
                tx.execute(INSERT, &[]).await?;
                let failing = tx.savepoint(async |tx| {
                    tx.execute(INSERT, &[]).await?;
                    yield_now().await;
                    tx.execute("select 1/0", &[]).await
                });
                assert_eq!(failing.await.unwrap_err().code(), Some("22012"));
                tx.savepoint(async |tx| tx.savepoint(async |tx| tx.execute(INSERT, &[]).await).await).await?;
                yield_now().await;
                Ok::<_, Error>(())
            });
            work.await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn danger_and_check() {
    sweep("c_danger", |pool| {
        Box::pin(async {
            pool.check().await.unwrap();
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            danger::raw_client(&mut tx).await.unwrap().batch_execute("select 1").await.unwrap();
            tx.commit().await.unwrap();
            let unscoped = danger::connection_without_tenant(pool).await.unwrap();
            unscoped.batch_execute("begin; select 1").await.unwrap();
        })
    })
    .await;
}

/// The first flight is flown again on another connection: dropped in between, neither slot is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_a_dirty_connection() {
    sweep("c_dirty", |pool| {
        Box::pin(async {
            pool.tenant("globex").execute("set work_mem = '65kB'", &[]).await.unwrap();
            pool.tenant("globex").query("select * from orders", &[]).await.unwrap();
            pool.tenant("globex").execute("set work_mem = '65kB'", &[]).await.unwrap();
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            tx.query("select 1", &[]).await.unwrap();
            tx.commit().await.unwrap();
        })
    })
    .await;
}

/// A dropped call does not wait for its statement, which lasts longer than anybody here: the server is told to stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_statement_runs_on() {
    let fixture = Fixture::new("c_sleep").await;
    let pool = fixture.pool(1);
    for _ in 0..3 {
        let acme = pool.tenant("acme");
        timeout(Duration::from_millis(50), acme.query("select pg_sleep(600)", &[])).await.unwrap_err();
        fixture.nothing_is_left("a dropped one-shot").await;

        let mut tx = pool.tenant("acme").begin().await.unwrap();
        tx.execute(INSERT, &[]).await.unwrap();
        timeout(Duration::from_millis(50), tx.query("select pg_sleep(600)", &[])).await.unwrap_err();
        assert!(tx.query("select 1", &[]).await.unwrap_err().is_interrupted());
        assert!(tx.commit().await.unwrap_err().is_interrupted());
        fixture.nothing_is_left("a transaction with a dropped statement").await;
    }
    assert_eq!(pool.tenant("acme").query("select from orders", &[]).await.unwrap().len(), 2);
    // With the test its requests to cancel end, answered or not; where a client goes before, PgBouncer 1.18 ends as
    // well.
    tokio::time::sleep(ROUTE.takes_to_cancel()).await;
}

/// Half a savepoint is nothing to commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_savepoint_is_committed() {
    let fixture = Fixture::new("c_half").await;
    let pool = fixture.pool(1);
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    let half = Notify::new();
    let waits = tx.savepoint(async |tx| {
        tx.execute(INSERT, &[]).await?;
        half.notify_one();
        std::future::pending::<Result<(), Error>>().await
    });
    tokio::select! {
        done = waits => panic!("it did not wait: {done:?}"),
        () = half.notified() => {}
    }
    assert!(tx.execute(INSERT, &[]).await.unwrap_err().is_interrupted());
    assert!(tx.commit().await.unwrap_err().is_interrupted());
    fixture.nothing_is_left("half a savepoint").await;
    assert_eq!(fixture.orders("acme").await, 2);
    assert_eq!(pool.status().size, 1, "nothing was in flight, so the connection went back");
}

/// What cannot be told to stop: no runtime is left. The connection closes, and the server rolls back.
#[test]
fn a_transaction_outlives_its_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (fixture, pool, tx) = runtime.block_on(async {
        let fixture = Fixture::new("c_runtime").await;
        let pool = fixture.pool(1);
        let mut tx = pool.tenant("acme").begin().await.unwrap();
        tx.execute(INSERT, &[]).await.unwrap();
        (fixture, pool, tx)
    });
    drop(tx);
    runtime.block_on(fixture.nothing_is_left("a transaction dropped outside a runtime"));
    let one = runtime.block_on(pool.tenant("acme").query("select 1", &[])).unwrap();
    assert_eq!(one.len(), 1);
}
