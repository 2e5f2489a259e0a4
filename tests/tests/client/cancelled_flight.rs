//! A dropped call that sends several statements leaves none of them half done, no transaction and no lost slot.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use pg_tenant_client::pipeline::{execute, query, query_one};
use pg_tenant_client::{Retry, danger};

use super::fixture::INSERT;
use super::sweep::{sweep, sweep_sqlx};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipeline() {
    sweep("cf_pipe", |pool| {
        Box::pin(async {
            let batch = (execute(INSERT, &[]), query("select * from orders", &[]), query_one("select $1::int", &[&1]));
            let (count, rows, one) = pool.tenant("globex").pipeline(batch).await.unwrap();
            assert!(count == 1 && !rows.is_empty() && one.get::<_, i32>(0) == 1);
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelines_of_a_transaction() {
    sweep("cf_pipes", |pool| {
        Box::pin(async {
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            tx.pipeline((execute(INSERT, &[]), query("select * from orders", &[]))).await.unwrap();
            tx.pipeline(vec![execute(INSERT, &[]), execute(INSERT, &[])]).await.unwrap();
            tx.pipeline_then_commit((execute(INSERT, &[]), query("select 1", &[]))).await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_statement_and_commit() {
    sweep("cf_last", |pool| {
        Box::pin(async {
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            tx.execute(INSERT, &[]).await.unwrap();
            tx.execute_then_commit(INSERT, &[]).await.unwrap();
            let tx = pool.tenant("globex").begin().await.unwrap();
            tx.query_then_commit("select * from orders where total <> $1", &[&7i64]).await.unwrap();
        })
    })
    .await;
}

const CONFLICT: &str = "do $$ begin raise sqlstate '40001'; end $$";

fn quick() -> Retry {
    Retry::default().pause(Duration::from_millis(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_again() {
    sweep("cf_again", |pool| {
        Box::pin(async move {
            let lost = AtomicBool::new(false);
            let globex = pool.tenant("globex");
            let retrying = globex.retry(quick());
            let work = retrying.run(async |tx| {
                tx.execute(INSERT, &[]).await?;
                if lost.swap(true, SeqCst) { Ok(0) } else { tx.execute(CONFLICT, &[]).await }
            });
            work.await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_again_over_sqlx() {
    sweep_sqlx("cf_again_sqlx", |pool| {
        Box::pin(async move {
            let lost = AtomicBool::new(false);
            let globex = pool.tenant("globex");
            let retrying = globex.retry(quick());
            let work = retrying.run(async |tx| {
                sqlx::query(INSERT).execute(&mut *tx).await?;
                if !lost.swap(true, SeqCst) {
                    sqlx::query(CONFLICT).execute(&mut *tx).await?;
                }
                Ok::<_, pg_tenant_client::Error>(())
            });
            work.await.unwrap();
        })
    })
    .await;
}

/// Three chunks, with the first alone and the others behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_write() {
    static NEXT: AtomicI64 = AtomicI64::new(1_000_000);
    let rows = || (0..25_000).map(|_| (NEXT.fetch_add(1, SeqCst),));
    sweep("cf_bulk", |pool| {
        Box::pin(async move {
            pool.tenant("globex").insert_many("orders", &["total"], rows()).await.unwrap();
            let mut tx = pool.tenant("globex").begin().await.unwrap();
            tx.insert_many("orders", &["total"], rows().take(10)).await.unwrap();
            tx.commit().await.unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_write_across_tenants() {
    static NEXT: AtomicI64 = AtomicI64::new(1_000_000);
    let rows = || (0..25_000).map(|n| (if n % 2 == 0 { "acme" } else { "globex" }, NEXT.fetch_add(1, SeqCst)));
    sweep("cf_bulk_system", |pool| {
        Box::pin(async move {
            let (system, columns) = (danger::system(pool, "a sweep").write(), ["tenant_id", "total"]);
            system.insert_many("orders", &columns, rows()).await.unwrap();
            let mut tx = system.begin().await.unwrap();
            tx.insert_many("orders", &columns, rows().take(10)).await.unwrap();
            tx.commit().await.unwrap();
        })
    })
    .await;
}
