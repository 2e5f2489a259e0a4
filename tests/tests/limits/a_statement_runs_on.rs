//! A statement ends at its tenant's timeout, and the timeout ends with the transaction.

use std::time::Duration;

use pg_tenant_client::{Error, Limits, TenantPool};
use sqlx::Row;

use crate::fixture::Fixture;
use crate::proxy::Proxy;

const NOW: &str = "select current_setting('statement_timeout'), pg_backend_pid()";

fn limits(id: &pg_tenant_client::TenantId) -> Limits {
    match id.as_str() {
        "acme" => Limits::new().statement_timeout(Duration::from_secs(2)),
        "globex" => Limits::new().statement_timeout(Duration::from_secs(7 * 60)),
        _ => Limits::new(),
    }
}

async fn over_tokio_postgres(pool: &TenantPool, id: &str) -> (String, i32) {
    let row = pool.tenant(id).query_one(NOW, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

async fn over_sqlx(pool: &pg_tenant_client::sqlx::TenantPool, id: &str) -> (String, i32) {
    let row = pool.tenant(id).query_one(sqlx::query(NOW)).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn for_longer_than_its_tenants_may() {
    let fixture = Fixture::new("l_time").await;
    fixture.superuser.run("select tenant.create('initech')").await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    pool.set_limits(limits);
    sqlx.set_limits(limits);
    let too_long = |error: Error| assert_eq!(error.code(), Some("57014"), "{error}");
    too_long(pool.tenant("acme").query("select pg_sleep(600)", &[]).await.unwrap_err());
    too_long(sqlx.tenant("acme").execute("select pg_sleep(600)").await.unwrap_err());
    let mut tx = pool.tenant("acme").begin().await.unwrap();
    tx.query("select 1", &[]).await.unwrap();
    too_long(tx.query("select pg_sleep(600)", &[]).await.unwrap_err());
    drop(tx);

    // The next tenant has its own, on the same connection: it was not made dirty.
    let (now, pid) = over_tokio_postgres(&pool, "globex").await;
    assert_eq!(now, "7min");
    assert_eq!(over_tokio_postgres(&pool, "initech").await, ("0".into(), pid));
    let (now, pid) = over_sqlx(&sqlx, "globex").await;
    assert_eq!(now, "7min");
    assert_eq!(over_sqlx(&sqlx, "initech").await, ("0".into(), pid));
}

/// The registry's limit holds against the tenant's own SQL; the client's never lifts it, nor the session's.
#[tokio::test]
async fn for_longer_than_somebody_else_allows() {
    let fixture = Fixture::new("l_least").await;
    fixture.superuser.run("select tenant.set_limits('acme', statement_timeout => '5min')").await;
    let mut config = fixture.db.config(&fixture.db.roles.app);
    let allowed = |minutes: u64| Limits::new().statement_timeout(Duration::from_secs(60 * minutes));
    let (pool, sqlx) = (fixture.pool_of(config.clone(), 1), fixture.sqlx(1));
    for (minutes, now) in [(3, "3min"), (9, "5min"), (5, "5min")] {
        pool.set_limits(allowed(minutes));
        sqlx.set_limits(allowed(minutes));
        assert_eq!(over_tokio_postgres(&pool, "acme").await.0, now, "{minutes}");
        assert_eq!(over_sqlx(&sqlx, "acme").await.0, now, "{minutes}");
    }
    config.options("-c statement_timeout=2min");
    let pool = fixture.pool_of(config, 1);
    for (minutes, now) in [(3, "2min"), (1, "1min")] {
        pool.set_limits(allowed(minutes));
        assert_eq!(over_tokio_postgres(&pool, "globex").await.0, now, "{minutes}");
    }
    // Longer than PostgreSQL can count.
    pool.set_limits(allowed(1 << 40));
    assert_eq!(over_tokio_postgres(&pool, "globex").await.0, "2min");
}

#[tokio::test]
async fn or_is_stopped_at_the_cost_of_a_round_trip() {
    let fixture = Fixture::new("l_trip").await;
    let wire = Proxy::start(fixture.db.cluster().port(), Duration::from_millis(5)).await;
    let pool = fixture.pool_of(fixture.config_at(wire.port, &fixture.db.roles.app), 1);
    pool.set_limits(limits);
    let globex = pool.tenant("globex");
    globex.query("select 1", &[]).await.unwrap();
    wire.round_trips();
    for _ in 0..3 {
        globex.query("select 1", &[]).await.unwrap();
        assert_eq!(wire.round_trips(), 1);
    }
    let sqlx = fixture.sqlx_at(wire.port, &fixture.db.roles.app, 1).limits(limits);
    sqlx.tenant("globex").begin().await.unwrap().rollback().await.unwrap();
    wire.round_trips();
    let tx = sqlx.tenant("globex").begin().await.unwrap();
    assert!(wire.round_trips() <= 2, "beginning, perhaps behind the ping of what came back");
    tx.rollback().await.unwrap();
}
