//! A dropped call in the system context leaves no context, no role, no transaction and no lost slot.

use futures_util::TryStreamExt;
use pg_tenant_client::pipeline::{execute, query};
use pg_tenant_client::sqlx::danger as sqlx_danger;
use pg_tenant_client::{Error, danger};
use sqlx::Executor;
use tokio::task::yield_now;

use super::fixture::SYSTEM_INSERT;
use super::sweep::{sweep, sweep_sqlx};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_shots() {
    sweep("c_system_once", |pool| {
        Box::pin(async {
            let system = danger::system(pool, "a sweep");
            system.query("select * from orders", &[]).await.unwrap();
            system.query_one("select count(*) from orders", &[]).await.unwrap();
            system.query_opt("select where false", &[]).await.unwrap();
            let batch = (query("select * from orders", &[]), query("select 1", &[]));
            system.pipeline(batch).await.unwrap();
            system.write().execute(SYSTEM_INSERT, &[]).await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn begin_and_commit() {
    sweep("c_system_commit", |pool| {
        Box::pin(async {
            let mut tx = danger::system(pool, "a sweep").write().begin().await.unwrap();
            tx.execute(SYSTEM_INSERT, &[]).await.unwrap();
            tx.query("select * from orders", &[]).await.unwrap();
            tx.query_one("select $1::int", &[&1]).await.unwrap();
            tx.query_opt("select where false", &[]).await.unwrap();
            tx.batch_execute("select 1; select 2").await.unwrap();
            let rows = tx.query_stream("select generate_series(1, 500)", &[]).await.unwrap();
            assert_eq!(rows.try_fold(0, |n, _| async move { Ok(n + 1) }).await.unwrap(), 500);
            tx.commit().await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flights() {
    sweep("c_system_flights", |pool| {
        Box::pin(async {
            let system = danger::system(pool, "a sweep").write();
            let mut tx = system.begin().await.unwrap();
            tx.pipeline(vec![execute(SYSTEM_INSERT, &[]), execute(SYSTEM_INSERT, &[])]).await.unwrap();
            tx.execute_then_commit(SYSTEM_INSERT, &[]).await.unwrap();
            let tx = system.begin().await.unwrap();
            tx.query_then_commit("select * from orders", &[]).await.unwrap();
            let tx = system.begin().await.unwrap();
            tx.pipeline_then_commit((execute(SYSTEM_INSERT, &[]), query("select 1", &[]))).await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_and_savepoint() {
    sweep("c_system_run", |pool| {
        Box::pin(async {
            let mut tx = danger::system(pool, "a sweep").begin().await.unwrap();
            tx.query("select * from orders", &[]).await.unwrap();
            tx.rollback().await.unwrap();
            let system = danger::system(pool, "a sweep").write();
            let work = system.run(async |tx| {
                let failing = tx.savepoint(async |tx| {
                    tx.execute(SYSTEM_INSERT, &[]).await?;
                    yield_now().await;
                    tx.execute("select 1/0", &[]).await
                });
                assert_eq!(failing.await.unwrap_err().code(), Some("22012"));
                tx.savepoint(async |tx| tx.savepoint(async |tx| tx.execute(SYSTEM_INSERT, &[]).await).await).await
            });
            work.await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_shots_over_sqlx() {
    sweep_sqlx("s_system_once", |pool| {
        Box::pin(async {
            let system = sqlx_danger::system(pool, "a sweep");
            system.query("select * from orders").await.unwrap();
            system.query_one("select count(*) from orders").await.unwrap();
            system.query_opt("select 1 where false").await.unwrap();
            system.write().execute(SYSTEM_INSERT).await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_over_sqlx() {
    sweep_sqlx("s_system_tx", |pool| {
        Box::pin(async {
            let mut tx = sqlx_danger::system(pool, "a sweep").begin().await.unwrap();
            sqlx::query("select * from orders").fetch_all(&mut tx).await.unwrap();
            sqlx::query("select 1").fetch_optional(&mut tx).await.unwrap();
            tx.prepare(sqlx::SqlStr::from_static("select 2")).await.unwrap();
            tx.rollback().await.unwrap();
            let mut tx = sqlx_danger::system(pool, "a sweep").write().begin().await.unwrap();
            tx.execute(SYSTEM_INSERT).await.unwrap();
            tx.commit().await.unwrap();
            let system = sqlx_danger::system(pool, "a sweep").write();
            let work = system.run(async |tx| {
                tx.savepoint(async |tx| Ok::<_, Error>(tx.execute(SYSTEM_INSERT).await?)).await?;
                yield_now().await;
                Ok::<_, Error>(())
            });
            work.await.unwrap();
        })
    })
    .await;
}
