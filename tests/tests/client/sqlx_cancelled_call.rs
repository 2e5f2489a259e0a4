//! A dropped call over sqlx leaves no transaction, no tenant, no lock and no lost slot.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use pg_tenant_client::Error;
use sqlx::Executor;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::fixture::{Fixture, INSERT, PATIENCE};
use super::proxy::Proxy;
use super::sweep::{poll_times, sweep_sqlx};

/// Why the sweep is there: bare sqlx 0.9.0 returns a connection with an open transaction to its pool. When this fails,
/// sqlx has mended it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bare_sqlx_leaks_a_cancelled_begin() {
    let fixture = Fixture::new("s_bare").await;
    let wire = Proxy::start(fixture.port(), Duration::from_millis(1)).await;
    let url = format!("postgres://{}@127.0.0.1:{}/{}", fixture.db.roles.app, wire.port, fixture.db.name);
    let options = PgPoolOptions::new().max_connections(1).test_before_acquire(false);
    let pool = options.connect(&url).await.unwrap();
    let sql = format!(
        "select from pg_stat_activity where usename = '{}' and state = 'idle in transaction'",
        fixture.db.roles.app
    );
    let since = Instant::now();
    for times in (1..4).cycle() {
        // The connection is there and idle, so the first await of begin() is that for BEGIN.
        drop(pool.acquire().await.unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
        poll_times(pool.begin(), times).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        if !fixture.superuser.rows(&sql).await.is_empty() {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "bare sqlx leaks no more");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_shots() {
    sweep_sqlx("s_query", |pool| {
        Box::pin(async {
            let query = sqlx::query("select * from orders where total <> $1").bind(7i64);
            pool.tenant("globex").query(query).await.unwrap();
        })
    })
    .await;
    sweep_sqlx("s_check", |pool| Box::pin(async { pool.check().await.unwrap() })).await;
    sweep_sqlx("s_query_one", |pool| {
        Box::pin(async { drop(pool.tenant("globex").query_one("select 1").await.unwrap()) })
    })
    .await;
    sweep_sqlx("s_query_opt", |pool| {
        Box::pin(async { drop(pool.tenant("globex").query_opt("select 1 where false").await.unwrap()) })
    })
    .await;
    sweep_sqlx("s_execute", |pool| Box::pin(async { _ = pool.tenant("globex").execute(INSERT).await.unwrap() })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn begin_and_commit() {
    sweep_sqlx("s_commit", |pool| {
        Box::pin(async {
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            tx.execute(INSERT).await.unwrap();
            sqlx::query("select $1::int4").bind(1).fetch_all(&mut tx).await.unwrap();
            sqlx::query("select 1").fetch_optional(&mut tx).await.unwrap();
            tx.prepare(sqlx::SqlStr::from_static("select 2")).await.unwrap();
            tx.commit().await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollback() {
    sweep_sqlx("s_rollback", |pool| {
        Box::pin(async {
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            tx.execute(INSERT).await.unwrap();
            tx.rollback().await.unwrap();
        })
    })
    .await;
}

/// sqlx reads past what a stream left, so commit after half a stream is allowed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_stream() {
    sweep_sqlx("s_stream", |pool| {
        Box::pin(async {
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            {
                let mut rows = sqlx::query("select generate_series(1, 5000)").fetch(&mut tx);
                for _ in 0..3 {
                    rows.next().await.unwrap().unwrap();
                    yield_now().await;
                }
            }
            tx.commit().await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_and_savepoint() {
    sweep_sqlx("s_savepoint", |pool| {
        Box::pin(async {
            let globex = pool.tenant("globex");
            let work = globex.run(async |tx| {
                tx.execute(INSERT).await?;
                let failing = tx.savepoint(async |tx| {
                    tx.execute(INSERT).await?;
                    yield_now().await;
                    tx.execute("select 1/0").await?;
                    Ok::<_, Error>(())
                });
                assert_eq!(failing.await.unwrap_err().code(), Some("22012"));
                tx.savepoint(async |tx| Ok::<_, Error>(tx.execute(INSERT).await?)).await?;
                yield_now().await;
                Ok::<_, Error>(())
            });
            work.await.unwrap();
        })
    })
    .await;
}

/// Beginning takes another connection: dropped in between, neither slot is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replacing_a_dirty_connection() {
    sweep_sqlx("s_dirty", |pool| {
        Box::pin(async {
            pool.tenant("globex").execute("set work_mem = '65kB'").await.unwrap();
            pool.tenant("globex").query("select * from orders").await.unwrap();
        })
    })
    .await;
}

/// sqlx has no CancelRequest; the client cancels from a second connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_statement_runs_on() {
    let fixture = Fixture::new("s_sleep").await;
    let pool = fixture.sqlx(1);
    for _ in 0..3 {
        let mut tx = pool.tenant("acme").begin().await.unwrap();
        timeout(Duration::from_millis(50), tx.execute("select pg_sleep(600)")).await.unwrap_err();
        drop(tx);
        fixture.nothing_is_left("a transaction with a dropped statement").await;
        pool.tenant("acme").execute("select 1").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_savepoint_is_committed() {
    let fixture = Fixture::new("s_half").await;
    let pool = fixture.sqlx(1);
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    let half = Notify::new();
    let waits = tx.savepoint(async |tx| {
        tx.execute(INSERT).await?;
        half.notify_one();
        std::future::pending::<Result<(), Error>>().await
    });
    tokio::select! {
        done = waits => panic!("it did not wait: {done:?}"),
        () = half.notified() => {}
    }
    assert!(Error::from(tx.execute(INSERT).await.unwrap_err()).is_interrupted());
    assert!(tx.commit().await.unwrap_err().is_interrupted());
    fixture.nothing_is_left("half a savepoint").await;
    assert_eq!(fixture.orders("acme").await, 2);
}

/// What cannot be told to stop: no runtime is left. The connection closes, and the server rolls back.
#[test]
fn a_transaction_outlives_its_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (fixture, tx) = runtime.block_on(async {
        let fixture = Fixture::new("s_runtime").await;
        let mut tx = fixture.sqlx(1).tenant("acme").begin().await.unwrap();
        tx.execute(INSERT).await.unwrap();
        (fixture, tx)
    });
    drop(tx);
    runtime.block_on(fixture.nothing_is_left("a transaction dropped outside a runtime"));
}
