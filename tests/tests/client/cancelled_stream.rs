//! A dropped stream, or another call that begins and commits by itself, leaves no transaction, no statement and no lost
//! slot.

use futures_util::{StreamExt, TryStreamExt};
use pg_tenant_client::sqlx::danger as sqlx_danger;
use pg_tenant_client::{Retry, danger};
use sqlx::Executor;
use tokio::task::yield_now;

use super::fixture::{INSERT, SYSTEM_INSERT};
use super::sweep::{sweep, sweep_sqlx};

const ROWS: &str = "select generate_series(1, 500)";
const COPY: &str = "copy (select generate_series(1, 500)) to stdout";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams() {
    sweep("cs_stream", |pool| {
        Box::pin(async {
            let globex = pool.tenant("globex");
            let rows = globex.query_stream(ROWS, &[]).await.unwrap();
            assert_eq!(rows.try_fold(0, |n, _| async move { Ok(n + 1) }).await.unwrap(), 500);
            assert_eq!(globex.copy_out(COPY).await.unwrap().count().await, 500);
            let mut tx = globex.begin().await.unwrap();
            assert_eq!(tx.copy_out(COPY).await.unwrap().count().await, 500);
            tx.commit().await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions() {
    sweep("cs_transaction", |pool| {
        Box::pin(async {
            let globex = pool.tenant("globex");
            let work = globex.transaction(async |tx| {
                tx.transaction(async |tx| tx.execute(INSERT, &[]).await).await?;
                yield_now().await;
                Ok(())
            });
            work.await.unwrap();
            let retrying = globex.retry(Retry::default());
            retrying.transaction(async |tx| tx.execute(INSERT, &[]).await).await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_system_context() {
    sweep("cs_system", |pool| {
        Box::pin(async {
            let system = danger::system(pool, "a sweep").write();
            assert_eq!(system.query_stream(ROWS, &[]).await.unwrap().count().await, 500);
            assert_eq!(system.copy_out(COPY).await.unwrap().count().await, 500);
            let mut tx = system.begin().await.unwrap();
            assert_eq!(tx.copy_out(COPY).await.unwrap().count().await, 500);
            tx.commit().await.unwrap();
            let work = system.transaction(async |tx| {
                tx.transaction(async |tx| tx.execute(SYSTEM_INSERT, &[]).await).await?;
                yield_now().await;
                Ok(())
            });
            work.await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executors_over_sqlx() {
    sweep_sqlx("cs_sqlx", |pool| {
        Box::pin(async {
            let globex = pool.tenant("globex");
            sqlx::query(ROWS).fetch_all(&globex).await.unwrap();
            sqlx::query(ROWS).fetch_optional(&globex).await.unwrap();
            (&globex).prepare(sqlx::SqlStr::from_static("select 3")).await.unwrap();
            assert_eq!(globex.copy_out(COPY).await.unwrap().count().await, 500);
            let mut tx = globex.begin().await.unwrap();
            assert_eq!(tx.copy_out(COPY).await.unwrap().count().await, 500);
            tx.commit().await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typed_ones_over_sqlx() {
    sweep_sqlx("cs_typed", |pool| {
        Box::pin(async {
            let globex = pool.tenant("globex");
            let one: i32 = globex.fetch_one(sqlx::query_scalar("select 1")).await.unwrap();
            let all: Vec<(i32,)> = globex.fetch_all(sqlx::query_as("select 1")).await.unwrap();
            let none: Option<i32> = globex.fetch_optional(sqlx::query_scalar("select 1 where false")).await.unwrap();
            assert_eq!((one, all, none), (1, vec![(1,)], None));
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_over_sqlx() {
    sweep_sqlx("cs_sqlx_run", |pool| {
        Box::pin(async {
            let globex = pool.tenant("globex");
            let work = globex.transaction(async |tx| {
                tx.transaction(async |tx| Ok(tx.execute(INSERT).await?)).await?;
                yield_now().await;
                Ok(())
            });
            work.await.unwrap();
            let retrying = globex.retry(Retry::default());
            retrying.transaction(async |tx| Ok(tx.execute(INSERT).await?)).await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_system_context_over_sqlx() {
    sweep_sqlx("cs_sqlx_system", |pool| {
        Box::pin(async {
            // danger::system( of sqlx.
            let system = sqlx_danger::system(pool, "a sweep").write();
            sqlx::query(ROWS).fetch_all(&system).await.unwrap();
            sqlx::query(ROWS).fetch_optional(&system).await.unwrap();
            (&system).prepare(sqlx::SqlStr::from_static("select 3")).await.unwrap();
            let one: i32 = system.fetch_one(sqlx::query_scalar("select 1")).await.unwrap();
            let all: Vec<(i32,)> = system.fetch_all(sqlx::query_as("select 1")).await.unwrap();
            let none: Option<i32> = system.fetch_optional(sqlx::query_scalar("select 1 where false")).await.unwrap();
            assert_eq!((one, all, none), (1, vec![(1,)], None));
            assert_eq!(system.copy_out(COPY).await.unwrap().count().await, 500);
            let mut tx = system.begin().await.unwrap();
            assert_eq!(tx.copy_out(COPY).await.unwrap().count().await, 500);
            tx.commit().await.unwrap();
            let work = system.transaction(async |tx| {
                tx.transaction(async |tx| Ok(tx.execute(SYSTEM_INSERT).await?)).await?;
                Ok(())
            });
            work.await.unwrap();
        })
    })
    .await;
}
