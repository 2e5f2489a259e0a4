//! A call that gets no connection in time says who holds them, for how long, and where in the program they began.

use std::panic::Location;
use std::time::Duration;

use pg_tenant_client::sqlx::TenantPool as SqlxPool;
use pg_tenant_client::{Error, Limits, TenantPool, danger};

use super::fixture::Fixture;

const SOON: Duration = Duration::from_secs(1);

#[track_caller]
fn here() -> String {
    let caller = Location::caller();
    format!("{}:{}:", caller.file(), caller.line())
}

fn impatient(fixture: &Fixture, role: &str, size: usize) -> (TenantPool, SqlxPool) {
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(size as u32).acquire_timeout(SOON);
    (
        TenantPool::builder(fixture.config(role)).max_size(size).wait_timeout(SOON).build().unwrap(),
        SqlxPool::new(options, fixture.db.url(role).parse().unwrap()),
    )
}

fn tells(error: &Error, holders: &[(&str, &str)]) {
    assert!(error.is_timeout() && error.was_not_executed(), "{error:?}");
    for (holder, site) in holders {
        let detail = error.detail().unwrap();
        assert!(detail.contains(holder) && detail.contains(site), "{holder} from {site}: {error}");
    }
}

#[tokio::test]
async fn with_the_place_they_are_from() {
    let fixture = Fixture::new("told").await;
    let (pool, sqlx) = impatient(&fixture, &fixture.operator, 2);
    let (acme, at) = (pool.tenant("acme"), here());
    let held = (acme.begin().await.unwrap(), danger::system(&pool, "a test").begin().await.unwrap());
    let error = pool.tenant("globex").query("select 1", &[]).await.unwrap_err();
    tells(&error, &[("tenant acme for ", &at), ("without a tenant for ", &at)]);
    assert!(error.detail().unwrap().contains("tenant globex waited"), "{error}");
    drop(held);

    let (acme, at) = (sqlx.tenant("acme"), here());
    let held = (acme.begin().await.unwrap(), acme.begin().await.unwrap());
    let error = sqlx.tenant("globex").execute("select 1").await.unwrap_err();
    tells(&error, &[("tenant acme for ", &at)]);
    drop(held);

    // Of a tenant that has all it may, its own.
    pool.set_limits(Limits::new().connections(1));
    let at = here();
    let _held = (pool.tenant("acme").begin().await.unwrap(), pool.tenant("globex").begin().await.unwrap());
    let error = pool.tenant("acme").query("select 1", &[]).await.unwrap_err();
    let line: u32 = at.rsplit(':').nth(1).unwrap().parse().unwrap();
    tells(&error, &[("tenant acme for ", &format!(":{}:", line + 1))]);
    assert!(error.is_limited() && !error.detail().unwrap().contains("globex"), "{error}");
}

#[tokio::test]
async fn with_those_that_the_waiting_task_has_itself() {
    let fixture = Fixture::new("nested").await;
    let (pool, sqlx) = impatient(&fixture, &fixture.db.roles.app, 1);
    let nested = tokio::spawn(async move {
        let _outer = pool.tenant("acme").begin().await.unwrap();
        let inner = pool.tenant("acme").query("select 1", &[]).await.unwrap_err();
        let others = tokio::spawn(async move { pool.tenant("acme").query("select 1", &[]).await.unwrap_err() });
        let _outer = sqlx.tenant("acme").begin().await.unwrap();
        [inner, sqlx.tenant("acme").execute("select 1").await.unwrap_err(), others.await.unwrap()]
    });
    let [inner, over_sqlx, others] = nested.await.unwrap();
    for error in [inner, over_sqlx] {
        tells(&error, &[("The task that waits has 1 of them itself", file!())]);
        assert!(error.hint().unwrap().contains("wait for itself"), "{error}");
    }
    assert!(!others.detail().unwrap().contains("itself"), "another task has it: {others}");
}
