//! A tenant never has more connections than its limit, also where it drops calls that the server still works on.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use pg_tenant_client::{Limit, Limits, Plans, TenantPool};

use crate::fixture::{Fixture, PATIENCE};
use crate::proxy::Proxy;

fn pool(fixture: &Fixture, limits: Limits) -> TenantPool {
    let config = fixture.db.config(&fixture.db.roles.app);
    TenantPool::builder(config).max_size(4).limits(limits).build().unwrap()
}

#[tokio::test]
async fn by_asking() {
    let fixture = Fixture::new("l_count").await;
    let limits = Limits::new().connections(2).waiting(0);
    let (pool, sqlx) = (pool(&fixture, limits.clone()), fixture.sqlx(4).limits(limits));
    let held = [pool.tenant("acme").begin().await.unwrap(), pool.tenant("acme").begin().await.unwrap()];
    assert_eq!(pool.tenant("acme").begin().await.unwrap_err().limit(), Some(Limit::Waiting));
    pool.tenant("globex").query("select 1", &[]).await.unwrap();
    drop(held);
    pool.tenant("acme").query("select 1", &[]).await.unwrap();

    let held = [sqlx.tenant("acme").begin().await.unwrap(), sqlx.tenant("acme").begin().await.unwrap()];
    assert_eq!(sqlx.tenant("acme").begin().await.unwrap_err().limit(), Some(Limit::Waiting));
    sqlx.tenant("globex").execute("select 1").await.unwrap();
    for tx in held {
        tx.commit().await.unwrap();
    }
    sqlx.tenant("acme").execute("select 1").await.unwrap();
}

/// A wire so slow that the server cannot have answered the ROLLBACK of what was dropped.
#[tokio::test]
async fn by_dropping() {
    let fixture = Fixture::new("l_drop").await;
    let wire = Proxy::start(fixture.db.cluster().port(), Duration::from_millis(50)).await;
    let config = fixture.config_at(wire.port, &fixture.db.roles.app);
    let limits = Limits::new().connections(1).waiting(0);
    let pool = TenantPool::builder(config).max_size(1).limits(limits.clone()).build().unwrap();
    pool.check().await.unwrap();
    drop_half_way(pool.tenant("acme").query("select pg_sleep(600)", &[])).await;
    assert_eq!(pool.tenant("acme").begin().await.unwrap_err().limit(), Some(Limit::Waiting), "it still runs");
    pool.tenant("globex").query("select 1", &[]).await.expect("the place in the pool is free at once");
    fixture.nothing_is_left("a dropped call").await;
    until_admitted(async || pool.tenant("acme").query("select 1", &[]).await.map(drop)).await;

    let sqlx = fixture.sqlx_at(wire.port, &fixture.db.roles.app, 1).limits(limits);
    let mut tx = sqlx.tenant("acme").begin().await.unwrap();
    drop_half_way(sqlx::Executor::execute(&mut tx, "select pg_sleep(600)")).await;
    drop(tx);
    assert_eq!(sqlx.tenant("acme").begin().await.unwrap_err().limit(), Some(Limit::Waiting), "it still runs");
    sqlx.tenant("globex").execute("select 1").await.expect("the place in the pool is free at once");
    fixture.nothing_is_left("a dropped call over sqlx").await;
    until_admitted(async || sqlx.tenant("acme").execute("select 1").await.map(drop)).await;
}

/// Polls until it has been sent and waits, and drops it.
async fn drop_half_way(call: impl Future) {
    let mut call = pin!(call);
    let wait = tokio::time::sleep(Duration::from_millis(150));
    let mut wait = pin!(wait);
    poll_fn(|cx| {
        assert!(call.as_mut().poll(cx).is_pending());
        wait.as_mut().poll(cx)
    })
    .await;
}

async fn until_admitted(call: impl AsyncFn() -> Result<(), pg_tenant_client::Error>) {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        match call().await {
            Err(error) if error.is_limited() => tokio::time::sleep(Duration::from_millis(10)).await,
            done => return done.unwrap(),
        }
    }
    panic!("the tenant's share never came back");
}

/// A plan that changes counts from the tenant's next call, and a policy that is replaced for who waits already.
#[tokio::test]
async fn by_an_old_plan() {
    let fixture = Fixture::new("l_plan").await;
    let plans = Plans::new(|tenant| (tenant.as_str() == "acme").then_some("pro"));
    let plans = plans.plan("pro", Limits::new().connections(2).waiting(0)).otherwise(Limits::new().connections(0));
    let config = fixture.db.config(&fixture.db.roles.app);
    let pool = TenantPool::builder(config).max_size(2).limits(plans.clone()).build().unwrap();
    let nothing = pool.tenant("globex").begin().await.unwrap_err();
    assert!(nothing.limit() == Some(Limit::Connections) && nothing.retry_after().is_none(), "{nothing}");
    let held = pool.tenant("acme").begin().await.unwrap();
    plans.set("pro", Limits::new().connections(1));
    let acme = pool.tenant("acme");
    let mut waits = pin!(acme.begin());
    assert!(poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await, "one is all it may have now");
    pool.set_limits(Limits::new());
    waits.await.unwrap();
    pool.tenant("globex").begin().await.unwrap();
    drop(held);
}
