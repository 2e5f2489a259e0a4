//! A task has the ambient tenant that it was given, or none, and never another.

use std::time::Duration;

use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_client::{Error, Tenant, TenantPool, ambient};
use pg_tenant_tests::shop::{A, B, shop};
use sqlx::Row;

fn tenant(id: &str) -> Tenant {
    id.parse().expect("a tenant id")
}

fn here() -> Option<String> {
    ambient::current().ok().map(|tenant| tenant.id().to_string())
}

/// What the helpers are for: tokio's own spawn does not carry a task-local, and then there is no tenant, not the wrong
/// one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spawned_plainly() {
    ambient::scope(tenant(A), async {
        assert_eq!(here().as_deref(), Some(A));
        assert_eq!(tokio::spawn(async { here() }).await.unwrap(), None);
        assert_eq!(tokio::task::spawn_blocking(here).await.unwrap(), None);
        assert_eq!(std::thread::spawn(here).join().unwrap(), None);
        assert_eq!(ambient::spawn(async { here() }).unwrap().await.unwrap().as_deref(), Some(A));
        assert_eq!(ambient::spawn_blocking(here).unwrap().await.unwrap().as_deref(), Some(A));
    })
    .await;
    assert_eq!(here(), None, "the scope has ended");
}

#[tokio::test]
async fn with_nobody_there() {
    let no_one = ambient::current().unwrap_err();
    assert!(no_one.is_no_tenant() && no_one.code() == Some("TN001"), "{no_one}");
    assert!(no_one.hint().is_some_and(|hint| hint.contains("ambient::scope")), "{no_one}");
    assert!(ambient::spawn(async { panic!("spawned without a tenant") }).unwrap_err().is_no_tenant());
    assert!(ambient::spawn_blocking(|| panic!("spawned without a tenant")).unwrap_err().is_no_tenant());
}

/// Two tasks of one thread, each suspended while the other runs; a scope within a scope; a task dropped in its scope.
#[tokio::test]
async fn beside_others() {
    let a = ambient::scope(tenant(A), async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
            assert_eq!(here().as_deref(), Some(A));
        }
    });
    let b = ambient::scope(tenant(B), async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
            assert_eq!(here().as_deref(), Some(B));
            ambient::sync_scope(tenant(A), || assert_eq!(here().as_deref(), Some(A)));
        }
    });
    let dropped = tokio::time::timeout(Duration::ZERO, ambient::scope(tenant(B), std::future::pending::<()>()));
    let (_, _, timeout) = tokio::join!(a, b, dropped);
    assert!(timeout.is_err() && here().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_database() {
    let db = shop("ambient").await;
    let pool = TenantPool::builder(db.config(&db.roles.app)).max_size(4).build().unwrap();
    let sqlx = SqlxPool::new(Default::default(), db.url(&db.roles.app).parse().unwrap());
    const COUNT: &str = "select count(*) from orders";

    let lost = pool.current().query(COUNT, &[]).await.unwrap_err();
    assert!(lost.is_no_tenant() && lost.hint().is_some(), "{lost}");
    assert!(pool.current().begin().await.unwrap_err().is_no_tenant());
    assert!(sqlx.current().begin().await.unwrap_err().is_no_tenant());
    assert_eq!(pool.status().size, 0, "nothing was sent");

    for (id, orders) in [(A, 3i64), (B, 2)] {
        let (pool, sqlx) = (pool.clone(), sqlx.clone());
        ambient::scope(tenant(id), async move {
            let (plain, other) = (pool.clone(), sqlx.clone());
            let counted = ambient::spawn(async move {
                let first: i64 = plain.current().query_one(COUNT, &[]).await?.get(0);
                let second: i64 = other.current().query_one(COUNT).await?.get(0);
                Ok::<_, Error>((first, second))
            });
            assert_eq!(counted.unwrap().await.unwrap().unwrap(), (orders, orders));
            // Which tenant is decided here, not where the builder is used.
            let kept = pool.current();
            let elsewhere =
                tokio::spawn(async move { kept.query_one(COUNT, &[]).await.map(|row| row.get::<_, i64>(0)) });
            assert_eq!(elsewhere.await.unwrap().unwrap(), orders);
            let lost = tokio::spawn(async move { pool.current().query(COUNT, &[]).await.map(drop) });
            assert!(lost.await.unwrap().unwrap_err().is_no_tenant());
        })
        .await;
    }
}
