//! A call waits for a server that is away or full, for as long as it waits for a connection.
//!
//! Not through PgBouncer: while a server is away or full it keeps clients waiting itself, and answers with errors of
//! its own.

use std::time::{Duration, Instant};

use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_client::{Error, TenantPool};
use pg_tenant_tests::{Cluster, Options, Session};

use super::fixture::{Fixture, PATIENCE};

const SOON: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_started_again() {
    let cluster: &Cluster = Box::leak(Box::new(Cluster::start(Options::default())));
    let db = cluster.database("away").await;
    db.admin().await.run("select tenant.create('acme')").await;
    let pool = TenantPool::builder(db.config(&db.roles.app)).max_size(2).wait_timeout(PATIENCE).build().unwrap();
    let options = sqlx::postgres::PgPoolOptions::new().acquire_timeout(PATIENCE);
    let sqlx = SqlxPool::new(options, db.url(&db.roles.app).parse().unwrap());
    pool.tenant("acme").query("select 1", &[]).await.unwrap();
    sqlx.check().await.unwrap();
    let mut begun = pool.tenant("acme").begin().await.unwrap();
    tokio::task::block_in_place(|| cluster.stop());

    let soon = TenantPool::builder(db.config(&db.roles.app)).wait_timeout(SOON).build().unwrap();
    let error = soon.check().await.unwrap_err();
    assert!(error.is_closed() && error.was_not_executed(), "{error:?}");
    assert!(error.detail().is_some_and(|detail| detail.contains("attempts") && !detail.contains("in 1 ")), "{error}");

    let calls = [pool.clone(), pool.clone(), pool.clone()]
        .map(|pool| tokio::spawn(async move { pool.tenant("acme").query("select 1", &[]).await.map(drop) }));
    let over_sqlx = tokio::spawn(async move { sqlx.tenant("acme").execute("select 1").await.map(drop) });
    // Its connection is gone, and the first statement takes another.
    let first = tokio::spawn(async move { begun.query("select 1", &[]).await.map(drop) });
    tokio::time::sleep(SOON).await;
    tokio::task::block_in_place(|| cluster.start_again());
    for call in calls.into_iter().chain([over_sqlx, first]) {
        call.await.unwrap().unwrap();
    }
}

/// A name may have no address for a moment: while a server moves, or a cluster's DNS starts.
#[tokio::test]
async fn while_its_name_has_no_address() {
    let config = "host=db.invalid user=app dbname=shop connect_timeout=1".parse().unwrap();
    let soon = TenantPool::builder(config).wait_timeout(SOON).build().unwrap();
    let error = soon.check().await.unwrap_err();
    assert!(error.message().contains("could not be looked up") && error.was_not_executed(), "{error:?}");
    assert!(error.detail().is_some_and(|detail| detail.contains("attempts") && !detail.contains("in 1 ")), "{error}");

    let options = sqlx::postgres::PgPoolOptions::new().acquire_timeout(SOON);
    let sqlx = SqlxPool::new(options, "postgres://app@db.invalid/shop".parse().unwrap());
    let since = Instant::now();
    let error = sqlx.check().await.unwrap_err();
    assert!(error.was_not_executed() && (error.is_closed() || error.is_timeout()), "{error:?}");
    assert!(since.elapsed() > SOON / 4, "it was not asked again");
}

async fn sessions(superuser: &Session, app: &str) -> String {
    superuser.value(&format!("select count(*) from pg_stat_activity where usename = '{app}'")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_full() {
    let fixture = Fixture::new("full").await;
    let app = &fixture.db.roles.app;
    fixture.superuser.run(&format!("alter role {app} connection limit 1")).await;
    let pool = fixture.pool(3);
    let held = pool.tenant("acme").begin().await.unwrap();
    let soon = TenantPool::builder(fixture.config(app)).max_size(2).wait_timeout(SOON).build().unwrap();
    let error = soon.tenant("acme").query("select 1", &[]).await.unwrap_err();
    assert!(error.is_timeout() && error.code() == Some("53300") && error.was_not_executed(), "{error:?}");
    assert!(error.detail().is_some_and(|detail| detail.contains("attempts")), "{error}");
    let impatient = sqlx::postgres::PgPoolOptions::new().acquire_timeout(SOON);
    let sqlx = SqlxPool::new(impatient, fixture.db.url(app).parse().unwrap());
    let error = sqlx.check().await.unwrap_err();
    assert!(error.is_timeout() && error.was_not_executed(), "{error:?}");

    // Who waits for the server takes the pool's connection when that comes back.
    let mut calls: Vec<_> = [pool.clone(), pool.clone()]
        .map(|pool| tokio::spawn(async move { pool.tenant("acme").query("select 1", &[]).await.map(drop) }))
        .into();
    tokio::time::sleep(SOON).await;
    drop(held);
    for call in calls.drain(..) {
        call.await.unwrap().unwrap();
    }
    assert_eq!(sessions(&fixture.superuser, app).await, "1");

    // And a new one when there is room.
    let _held = pool.tenant("acme").begin().await.unwrap();
    let call = tokio::spawn({
        let (pool, patient) = (pool.clone(), fixture.sqlx(1));
        async move {
            pool.tenant("acme").query("select 1", &[]).await?;
            patient.tenant("acme").execute("select 1").await?;
            Ok::<_, Error>(())
        }
    });
    tokio::time::sleep(SOON).await;
    fixture.superuser.run(&format!("alter role {app} connection limit -1")).await;
    call.await.unwrap().unwrap();
}

/// What waiting does not mend is told at once.
#[tokio::test]
async fn only_for_what_may_pass() {
    let fixture = Fixture::new("no_wait").await;
    let mut config = fixture.config(&fixture.db.roles.app);
    config.dbname("no_such_database");
    let since = Instant::now();
    let error = TenantPool::builder(config).wait_timeout(PATIENCE).build().unwrap().check().await.unwrap_err();
    assert!(error.code() == Some("3D000") && error.was_not_executed(), "{error:?}");
    let url = format!("postgres://{}@127.0.0.1:{}/no_such_database", fixture.db.roles.app, fixture.port());
    let error = SqlxPool::new(Default::default(), url.parse().unwrap()).check().await.unwrap_err();
    assert!(error.code() == Some("3D000") && error.was_not_executed(), "{error:?}");
    assert!(since.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_check_over_sqlx_says_what_is_missing() {
    let fixture = Fixture::new("check").await;
    let sqlx = fixture.sqlx(1);
    for _ in 0..2 {
        sqlx.check().await.unwrap();
    }
    assert_eq!(sqlx.size(), 1);
    let plain = fixture.db.cluster().plain_database("check_plain").await;
    let none = SqlxPool::new(Default::default(), plain.url(&plain.roles.app).parse().unwrap());
    let error = none.check().await.unwrap_err();
    assert!(error.is_extension_missing() && error.hint().unwrap().contains("create extension"), "{error}");
}
