//! Every error says what to do next.

use pg_tenant_client::{Error, Refusal, TenantPool};

use super::fixture::Fixture;

fn is(error: &Error, refusal: Refusal) -> bool {
    error.refusal() == Some(refusal) && error.code() == Some(refusal.code())
}

#[tokio::test]
async fn of_entering() {
    let fixture = Fixture::new("r_enter").await;
    let (pool, sqlx) = (fixture.pool(1), fixture.sqlx(1));
    for _ in 0..2 {
        let unknown = pool.tenant("nobody").query("select 1", &[]).await.unwrap_err();
        assert!(unknown.is_unknown_tenant() && is(&unknown, Refusal::UnknownTenant), "{unknown}");
        assert!(unknown.hint().is_some() && unknown.to_string().contains("HINT"), "{unknown}");
        let suspended = pool.tenant("sleepy").query("select 1", &[]).await.unwrap_err();
        assert!(suspended.is_suspended() && is(&suspended, Refusal::TenantNotActive), "{suspended}");
        let unknown = sqlx.tenant("nobody").execute("select 1").await.unwrap_err();
        assert!(unknown.is_unknown_tenant() && unknown.hint().is_some(), "{unknown}");
        assert!(sqlx.tenant("sleepy").begin().await.unwrap_err().is_suspended());
    }
    assert_eq!(pool.status().size, 1, "a refusal costs no connection");

    let mut tx = pool.tenant("acme").begin().await.unwrap();
    let twice = tx.query("select tenant.enter('globex')", &[]).await.unwrap_err();
    assert!(twice.is_already_entered() && is(&twice, Refusal::AlreadyEntered), "{twice}");
}

#[tokio::test]
async fn of_a_malformed_id() {
    // Nobody listens there: whatever were sent would fail otherwise.
    let config = "host=127.0.0.1 port=1 user=app dbname=shop connect_timeout=1";
    let soon = std::time::Duration::from_millis(100);
    let pool = TenantPool::builder(config.parse().unwrap()).wait_timeout(soon).build().unwrap();
    for id in ["", " acme", "acme'; drop table orders; --", "ä", "a\0b", &"x".repeat(64)] {
        let error = pool.tenant(id).query("select 1", &[]).await.unwrap_err();
        assert!(error.is_malformed_id() && is(&error, Refusal::MalformedTenantId), "{id:?}: {error}");
        assert!(pool.tenant(id).begin().await.unwrap_err().is_malformed_id());
    }
    assert!(pool.tenant("acme").query("select 1", &[]).await.unwrap_err().is_closed());
}

#[tokio::test]
async fn of_a_database_without_the_extension() {
    let db = pg_tenant_tests::Cluster::shared().plain_database("r_plain").await;
    let pool = TenantPool::builder(db.config(&db.roles.app)).max_size(1).build().unwrap();
    for _ in 0..2 {
        let error = pool.tenant("acme").query("select 1", &[]).await.unwrap_err();
        assert!(error.is_extension_missing() && error.code() == Some("3F000"), "{error}");
        assert!(error.to_string().contains("create extension pg_tenant"), "{error}");
    }
    let url = db.url(&db.roles.app);
    let sqlx = pg_tenant_client::sqlx::TenantPool::new(Default::default(), url.parse().unwrap());
    assert!(sqlx.tenant("acme").begin().await.unwrap_err().is_extension_missing());

    // Once it is there, the same pool works: nothing was lost.
    db.superuser().await.run(&format!("create extension pg_tenant; grant tenant_user to {}", db.roles.app)).await;
    db.superuser().await.run("select tenant.create('acme')").await;
    pool.tenant("acme").query("select 1", &[]).await.unwrap();
    sqlx.tenant("acme").execute("select 1").await.unwrap();
}

#[tokio::test]
async fn of_another_version() {
    let db = pg_tenant_tests::Cluster::shared().plain_database("r_version").await;
    db.superuser()
        .await
        .run(
            "create schema tenant; grant usage on schema tenant to public;
             create function tenant.version() returns text language sql return '99.1.0';
             create function tenant.enter_pristine(text) returns text language sql return $1",
        )
        .await;
    let pool = TenantPool::builder(db.config(&db.roles.app)).build().unwrap();
    let error = pool.check().await.unwrap_err();
    assert!(error.is_version_mismatch() && error.message().contains("99.1.0"), "{error}");
    assert!(error.message().contains(env!("CARGO_PKG_VERSION")), "{error}");
    let url = db.url(&db.roles.app);
    let sqlx = pg_tenant_client::sqlx::TenantPool::new(Default::default(), url.parse().unwrap());
    assert!(sqlx.tenant("acme").begin().await.unwrap_err().is_version_mismatch());
}

#[tokio::test]
async fn of_a_role_that_may_not_enter() {
    let fixture = Fixture::new("r_grant").await;
    let role = &fixture.db.roles.bystander;
    let pool = fixture.pool_of(fixture.config(role), 1);
    let error = pool.tenant("acme").query("select 1", &[]).await.unwrap_err();
    assert!(error.code() == Some("42501") && error.hint().unwrap().contains("grant tenant_user"), "{error}");
}

#[tokio::test]
async fn of_a_full_and_of_a_closed_pool() {
    let fixture = Fixture::new("r_full").await;
    let builder = TenantPool::builder(fixture.config(&fixture.db.roles.app)).max_size(1);
    let pool = builder.wait_timeout(std::time::Duration::from_secs(1)).build().unwrap();
    let tx = pool.tenant("acme").begin().await.unwrap();
    assert!(pool.tenant("acme").begin().await.unwrap_err().is_timeout());
    drop(tx);
    pool.tenant("acme").begin().await.unwrap();
    pool.close();
    assert!(pool.tenant("acme").begin().await.unwrap_err().is_closed());
    assert!(TenantPool::builder(fixture.config("nobody")).max_size(0).build().is_err());
}
