//! A refusal says which limit was met, and when to ask again.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use pg_tenant_client::{Error, Limit, Limits, Rate, TenantPool};

use crate::fixture::Fixture;

fn says(error: &Error, limit: Limit) {
    assert!(error.is_limited() && !error.is_retryable() && error.code().is_none(), "{error}");
    assert_eq!(error.limit(), Some(limit));
    assert!(error.retry_after().is_some_and(|wait| wait > Duration::ZERO), "{error}");
    assert!(error.to_string().contains("tenant acme") && error.hint().unwrap().starts_with("try again in"), "{error}");
}

#[tokio::test]
async fn of_each_limit() {
    let fixture = Fixture::new("l_says").await;
    let limits = Limits::new().connections(1).waiting(1).acquire_timeout(Duration::from_millis(500));
    let config = fixture.db.config(&fixture.db.roles.app);
    let pool = TenantPool::builder(config).max_size(2).limits(limits.clone()).build().unwrap();
    let sqlx = fixture.sqlx(2).limits(limits);
    pool.tenant("acme").query("select 1", &[]).await.unwrap();

    let held = pool.tenant("acme").begin().await.unwrap();
    let acme = pool.tenant("acme");
    let mut waits = pin!(acme.begin());
    assert!(poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await);
    says(&pool.tenant("acme").begin().await.unwrap_err(), Limit::Waiting);
    let late = waits.await.unwrap_err();
    says(&late, Limit::Connections);
    assert!(late.is_timeout());
    drop(held);
    assert_eq!(pool.status().waiting, 0);

    let held = sqlx.tenant("acme").begin().await.unwrap();
    let late = sqlx.tenant("acme").begin().await.unwrap_err();
    says(&late, Limit::Connections);
    assert!(late.is_timeout());
    drop(held);
}

#[tokio::test]
async fn of_a_rate() {
    let fixture = Fixture::new("l_rate").await;
    let limits = Limits::new().rate(Rate::per_second(2));
    let pool = fixture.pool(2);
    pool.set_limits(limits.clone());
    let sqlx = fixture.sqlx(2).limits(limits);
    for _ in 0..2 {
        pool.tenant("acme").query("select 1", &[]).await.unwrap();
        sqlx.tenant("acme").execute("select 1").await.unwrap();
    }
    // The bucket refills while this runs: ask until it is empty.
    let refused = loop {
        if let Err(error) = pool.tenant("acme").begin().await {
            break error;
        }
    };
    says(&refused, Limit::Rate);
    assert!(!refused.is_timeout());
    pool.tenant("globex").query("select 1", &[]).await.expect("another tenant's rate is its own");
    tokio::time::sleep(refused.retry_after().unwrap()).await;
    pool.tenant("acme").begin().await.expect("it said when");
    let refused = loop {
        if let Err(error) = sqlx.tenant("acme").begin().await {
            break error;
        }
    };
    says(&refused, Limit::Rate);
}
