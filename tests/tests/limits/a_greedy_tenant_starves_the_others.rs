//! A tenant with many waiting calls does not delay tenants with one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use pg_tenant_client::{Limits, TenantPool};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::fixture::{Fixture, PATIENCE};

const GREEDY: usize = 40;
const POOL: usize = 2;

/// Whether the other tenant's one call, which came last, finishes although each call of the greedy tenant keeps its
/// connection until then. All begin while the pool is held by the greedy one.
async fn the_other_is_served(
    held: impl Sized,
    greedy: impl AsyncFn(&Notify),
    other: impl Future<Output = ()>,
    waiting: impl Fn() -> usize,
    patience: Duration,
) -> bool {
    let served = Notify::new();
    let calls = join_all((0..GREEDY).map(|_| greedy(&served)));
    let other = async {
        while waiting() < GREEDY {
            tokio::task::yield_now().await;
        }
        timeout(patience, other).await.is_ok()
    };
    let release = async {
        while waiting() < GREEDY + 1 {
            tokio::task::yield_now().await;
        }
        drop(held);
    };
    tokio::select! {
        biased;
        (other, ()) = async { tokio::join!(other, release) } => other,
        _ = calls => unreachable!("nobody tells them to finish"),
    }
}

#[tokio::test]
async fn plain_deadpool_lets_it() {
    let fixture = Fixture::new("l_plain").await;
    let config = fixture.db.config(&fixture.db.roles.app);
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    let pool = deadpool_postgres::Pool::builder(manager).max_size(POOL).build().unwrap();
    let held = [pool.get().await.unwrap(), pool.get().await.unwrap()];
    let greedy = async |served: &Notify| {
        let _client = pool.get().await.unwrap();
        served.notified().await;
    };
    let other = async {
        let mut client = pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        tx.query("select tenant.enter($1)", &[&"globex"]).await.unwrap();
        tx.commit().await.unwrap();
    };
    let patience = Duration::from_millis(300);
    let served = the_other_is_served(held, greedy, other, || pool.status().waiting, patience).await;
    assert!(!served, "this test shows nothing");
}

#[tokio::test]
async fn over_tokio_postgres() {
    let fixture = Fixture::new("l_greedy").await;
    let pool = fixture.pool(POOL);
    let held = [pool.tenant("acme").begin().await.unwrap(), pool.tenant("acme").begin().await.unwrap()];
    let greedy = async |served: &Notify| {
        let _tx = pool.tenant("acme").begin().await;
        served.notified().await;
    };
    let other = async { drop(pool.tenant("globex").query("select 1", &[]).await.unwrap()) };
    let patience = 2 * PATIENCE;
    assert!(the_other_is_served(held, greedy, other, || pool.status().waiting, patience).await);
}

#[tokio::test]
async fn over_sqlx() {
    let fixture = Fixture::new("l_greedy_sqlx").await;
    let pool = fixture.sqlx(POOL as u32);
    let held = [pool.tenant("acme").begin().await.unwrap(), pool.tenant("acme").begin().await.unwrap()];
    let greedy = async |served: &Notify| {
        let _tx = pool.tenant("acme").begin().await;
        served.notified().await;
    };
    let other = async { drop(pool.tenant("globex").query("select 1").await.unwrap()) };
    let patience = 2 * PATIENCE;
    assert!(the_other_is_served(held, greedy, other, || pool.waiting(), patience).await);
}

/// Alone, a tenant within its limit has as much of the pool as it can use; the limit itself is never passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn or_it_does_not_get_an_idle_pool() {
    let fixture = Fixture::new("l_idle").await;
    let config = fixture.db.config(&fixture.db.roles.app);
    let pool = TenantPool::builder(config).max_size(6).limits(Limits::new().connections(4)).build().unwrap();
    let inside = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(tokio::sync::Barrier::new(4));
    let calls = (0..12).map(|_| {
        let (pool, inside, most, gate) = (pool.clone(), inside.clone(), most.clone(), gate.clone());
        tokio::spawn(async move {
            let mut tx = pool.tenant("acme").begin().await.unwrap();
            tx.execute("select 1", &[]).await.unwrap();
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Four at a time meet here: with fewer connections they would wait for ever.
            let met = tokio::time::timeout(2 * PATIENCE, gate.wait()).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            tx.commit().await.unwrap();
            met.is_ok()
        })
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        assert!(call.await.unwrap(), "it had fewer than its four");
    }
    assert_eq!(most.load(Ordering::SeqCst), 4);
}
