//! A waiting call that is dropped gives back the connection it was about to get, and the next one is woken.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_util::future::join_all;
use rand::RngExt;

use crate::fixture::{Fixture, INSERT};

/// Polls at most so many times, then drops; whether it finished.
async fn poll_times(mut call: Pin<Box<dyn Future<Output = ()> + Send + '_>>, times: usize) -> bool {
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match call.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The connection comes back before, while or after the waiting call is dropped, at each poll; a second one waits
/// behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_each_poll() {
    let fixture = Fixture::new("l_sweep").await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    for times in 0.. {
        let held = pool.tenant("acme").begin().await.unwrap();
        let release = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let dropped = Box::pin(async { assert_eq!(pool.tenant("globex").execute(INSERT, &[]).await.unwrap(), 1) });
        let behind = async { pool.tenant("acme").query("select 1", &[]).await.unwrap() };
        let (finished, _, _) = tokio::join!(poll_times(dropped, times), behind, release);
        fixture.nothing_is_left(&format!("dropped after {times} polls")).await;
        assert_eq!(pool.status().waiting, 0);
        if finished {
            break;
        }
    }
    for times in 0.. {
        let held = sqlx.tenant("acme").begin().await.unwrap();
        let release = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let dropped =
            Box::pin(async { assert_eq!(sqlx.tenant("globex").execute(INSERT).await.unwrap().rows_affected(), 1) });
        let behind = async { sqlx.tenant("acme").execute("select 1").await.unwrap() };
        let (finished, _, _) = tokio::join!(poll_times(dropped, times), behind, release);
        fixture.nothing_is_left(&format!("sqlx, dropped after {times} polls")).await;
        assert_eq!(sqlx.waiting(), 0);
        if finished {
            break;
        }
    }
}

/// Every call is one of many for a pool of three; most are dropped somewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load() {
    let fixture = Fixture::new("l_load").await;
    let (pool, sqlx) = (fixture.pool(3), fixture.sqlx(3));
    let limits = pg_tenant_client::Limits::new().connections(2);
    pool.set_limits(limits.clone());
    sqlx.set_limits(limits);
    let tasks = (0..32).map(|task| {
        let (pool, sqlx) = (pool.clone(), sqlx.clone());
        tokio::spawn(async move {
            for round in 0..25 {
                let id = if task < 20 { "acme" } else { "globex" };
                let times = rand::rng().random_range(0..12);
                let call: Pin<Box<dyn Future<Output = ()> + Send>> = if (task + round) % 2 == 0 {
                    Box::pin(async { assert_eq!(pool.tenant(id).execute(INSERT, &[]).await.unwrap(), 1) })
                } else {
                    Box::pin(async { assert_eq!(sqlx.tenant(id).execute(INSERT).await.unwrap().rows_affected(), 1) })
                };
                poll_times(call, times).await;
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    fixture.nothing_is_left("the load").await;
    assert_eq!((pool.status().waiting, sqlx.waiting()), (0, 0));
    // Every connection is there, for one tenant as far as its limit goes, and for another.
    for id in ["acme", "globex"] {
        let _held = [pool.tenant(id).begin().await.unwrap(), pool.tenant(id).begin().await.unwrap()];
        let _held = [sqlx.tenant(id).begin().await.unwrap(), sqlx.tenant(id).begin().await.unwrap()];
    }
}
