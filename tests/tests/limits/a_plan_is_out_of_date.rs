//! A tenant has the limits of a plan that it has not, or no longer.

use std::time::{Duration, Instant};

use pg_tenant_client::directory::{Directory, LookupFuture, LookupKey, TenantLookup};
use pg_tenant_client::{Error, Limit, Limits, Plans, TenantPool};

use crate::fixture::{Fixture, PATIENCE};

const HOUR: Duration = Duration::from_secs(3600);

fn plans(directory: &Directory) -> Plans {
    let plans = Plans::from_directory(directory.clone()).otherwise(Limits::new().connections(1).waiting(0));
    plans.plan("pro", Limits::new().connections(2).waiting(0)).plan("shut", Limits::new().connections(0))
}

fn directory(of: impl TenantLookup) -> Directory {
    Directory::builder().ttl(HOUR).negative_ttl(HOUR).build(of)
}

async fn set(fixture: &Fixture, tenant: &str, plan: &str) {
    fixture.superuser.run(&format!("update tenant.tenants set plan = {plan} where id = '{tenant}'")).await;
}

/// How many connections the tenant gets at once.
async fn gets(pool: &TenantPool, tenant: &str) -> usize {
    let mut held = Vec::new();
    loop {
        match pool.tenant(tenant).begin().await {
            Ok(tx) => held.push(tx),
            Err(error) => {
                assert!(matches!(error.limit(), Some(Limit::Waiting | Limit::Connections)), "{error}");
                return held.len();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_registry() {
    let fixture = Fixture::new("l_plan").await;
    set(&fixture, "acme", "'pro'").await;
    let pool = fixture.pool(4);
    let directory = directory(pool.clone());
    let plans = plans(&directory);
    pool.set_limits(plans.clone());
    // From the first call on.
    assert_eq!((gets(&pool, "acme").await, gets(&pool, "globex").await, gets(&pool, "nobody").await), (2, 1, 1));
    plans.set("pro", Limits::new().connections(3).waiting(0));
    assert_eq!(gets(&pool, "acme").await, 3, "the table changes at once");

    // Another plan: of effect when the directory hears of it.
    set(&fixture, "acme", "null").await;
    set(&fixture, "globex", "'shut'").await;
    assert_eq!((gets(&pool, "acme").await, gets(&pool, "globex").await), (3, 1));
    directory.forget();
    assert_eq!((gets(&pool, "acme").await, gets(&pool, "globex").await), (1, 0));
    let mut listener = directory.listen(fixture.db.config(&fixture.db.roles.app));
    listener.listening().await;
    set(&fixture, "globex", "'pro'").await;
    let since = Instant::now();
    while gets(&pool, "globex").await != 3 {
        assert!(since.elapsed() < PATIENCE, "it never heard");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(listener);

    let sqlx = fixture.sqlx(4).limits(plans);
    let held = [sqlx.tenant("globex").begin().await.unwrap(), sqlx.tenant("globex").begin().await.unwrap()];
    let third = sqlx.tenant("globex").begin().await.unwrap();
    assert_eq!(sqlx.tenant("globex").begin().await.unwrap_err().limit(), Some(Limit::Waiting));
    for tx in held.into_iter().chain([third]) {
        tx.commit().await.unwrap();
    }
    fixture.nothing_is_left("plans").await;
}

/// A pool of one connection looks up with it, before it lends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_connection() {
    let fixture = Fixture::new("l_plan_one").await;
    let pool = fixture.pool(1);
    pool.set_limits(plans(&directory(pool.clone())));
    let calls = (0..8).map(|n| {
        let pool = pool.clone();
        let tenant = if n % 2 == 0 { "acme" } else { "globex" };
        async move {
            loop {
                match pool.tenant(tenant).query("select from orders", &[]).await {
                    Err(error) if error.limit() == Some(Limit::Waiting) => tokio::task::yield_now().await,
                    other => return other.map(drop),
                }
            }
        }
    });
    futures_util::future::try_join_all(calls).await.unwrap();
}

struct Unreachable;

impl TenantLookup for Unreachable {
    fn find<'a>(&'a self, _: LookupKey<'a>) -> LookupFuture<'a> {
        Box::pin(async { Err("a b".parse::<pg_tenant_client::Tenant>().map_err(any).unwrap_err()) })
    }
}

fn any(_: impl std::error::Error) -> Error {
    Error::from(sqlx::Error::PoolTimedOut)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_registry_cannot_be_asked() {
    let fixture = Fixture::new("l_plan_gone").await;
    set(&fixture, "acme", "'pro'").await;
    let pool = fixture.pool(4);
    pool.set_limits(plans(&directory(Unreachable)));
    assert_eq!(gets(&pool, "acme").await, 1, "the limits of who has no plan");
}
