//! Support works in a tenant otherwise than by its grant, or goes on after that has ended: over both drivers.
//!
//! Not through PgBouncer: entering by a grant is a message of the same form as entering by an id, which other modules
//! send.

use std::time::Duration;

use pg_tenant_client::admin::{NewImpersonation, Support};
use pg_tenant_client::{Error, TenantExecutor, TenantPool};

use super::fixture::Fixture;

const COUNT: &str = "select count(*) from orders";
const WHO: &str = "select concat_ws(' for ', tenant.current_impersonator(), tenant.current_actor())";

async fn world(name: &str) -> (Fixture, String) {
    let fixture = Fixture::new(name).await;
    let role = format!("regress_{}_support", fixture.db.name);
    let other = format!("regress_{}_second", fixture.db.name);
    fixture
        .superuser
        .run(&format!(
            "create role {role} login in role tenant_support; create role {other} login in role tenant_support;
             grant select, insert, update, delete on orders to {role}, {other}"
        ))
        .await;
    (fixture, role)
}

fn text(rows: &[tokio_postgres::Row]) -> &str {
    rows[0].get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tokio_postgres() {
    let (fixture, role) = world("c_support").await;
    let pool = fixture.pool_of(fixture.config(&role), 2);
    pool.check().await.unwrap();
    let support = Support::new(pool.clone());
    let refused = pool.tenant("acme").query(COUNT, &[]).await.unwrap_err();
    assert_eq!(refused.code(), Some("42501"));
    assert!(refused.hint().is_some_and(|hint| hint.contains("tenant_support alone")), "{refused:?}");

    let grant = support.ask(NewImpersonation::new("acme", "ticket 7").as_user("ann")).await.unwrap();
    assert_eq!((grant.tenant_id().as_str(), grant.as_user(), grant.impersonator()), ("acme", Some("ann"), &*role));
    let acme = pool.impersonate(&grant);
    assert_eq!(acme.tenant_id().map(|id| id.as_str()), Some("acme"));
    assert_eq!(acme.query_one(COUNT, &[]).await.unwrap().get::<_, i64>(0), 2);
    assert_eq!(text(&acme.query(WHO, &[]).await.unwrap()), format!("{role} for ann"));
    assert_eq!(acme.execute("update orders set total = 7", &[]).await.unwrap_err().code(), Some("25006"));
    // As a repository, in a transaction and beneath a savepoint.
    assert_eq!(count(&acme).await.unwrap(), 2);
    acme.transaction(async |tx| {
        tx.transaction(async |tx| tx.query(COUNT, &[]).await.map(drop)).await?;
        assert!(tx.generation().is_some());
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(support.find(grant.id()).await.unwrap().as_ref(), Some(&grant));

    let mut tx = acme.begin().await.unwrap();
    tx.query(COUNT, &[]).await.unwrap();
    support.end(grant.id(), Some("done")).await.unwrap();
    let over = tx.query(COUNT, &[]).await.unwrap_err();
    assert!(over.is_impersonation_over() && over.code() == Some("TN159"), "{over:?}");
    drop(tx);
    assert!(acme.query(COUNT, &[]).await.unwrap_err().is_impersonation_over());
    assert_eq!(support.find(grant.id()).await.unwrap(), None);
    let why =
        format!("select reason from tenant.journal where action = 'end_impersonation' and object = '{}'", grant.id());
    assert_eq!(fixture.superuser.value(&why).await.as_deref(), Some("done"));

    let write = NewImpersonation::new("acme", "ticket 8").write().actor("bob").lasts(Duration::from_secs(60));
    let write = support.ask(write).await.unwrap();
    let who = format!("{role}:bob");
    assert_eq!((write.as_user(), write.impersonator()), (None, &*who));
    assert_eq!(pool.impersonate(&write).execute("update orders set total = total", &[]).await.unwrap(), 2);
    // To the pool of another login it opens nothing.
    let other = fixture.pool_of(fixture.config(&format!("regress_{}_second", fixture.db.name)), 1);
    assert_eq!(other.impersonate(&write).query(COUNT, &[]).await.unwrap_err().code(), Some("TN158"));
    for (new, code) in [
        (NewImpersonation::new("no id", "x"), "TN004"),
        (NewImpersonation::new("nobody", "x"), "TN002"),
        (NewImpersonation::new("acme", " "), "TN029"),
        (NewImpersonation::new("acme", "x").as_user(""), "TN141"),
        (NewImpersonation::new("acme", "x").lasts(Duration::from_secs(86_400)), "TN158"),
    ] {
        assert_eq!(support.ask(new).await.unwrap_err().code(), Some(code));
    }
    let app = Support::new(fixture.pool(1)).ask(NewImpersonation::new("acme", "x")).await.unwrap_err();
    assert!(app.code() == Some("42501") && app.hint().is_some_and(|hint| hint.contains("tenant_support")), "{app:?}");
}

async fn count(mut orders: impl TenantExecutor) -> Result<i64, Error> {
    Ok(orders.query_one(COUNT, &[]).await?.get(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_sqlx() {
    let (fixture, role) = world("c_support_sqlx").await;
    let support = Support::new(fixture.pool_of(fixture.config(&role), 1));
    let pool = fixture.sqlx_at(fixture.port(), &role, 2);
    let grant = support.ask(NewImpersonation::new("acme", "ticket 7").as_user("ann")).await.unwrap();
    let acme = pool.impersonate(&grant);
    let who: String = sqlx::Row::get(&acme.query_one(sqlx::query(WHO)).await.unwrap(), 0);
    assert_eq!(who, format!("{role} for ann"));
    let write = acme.execute(sqlx::query("delete from orders")).await.unwrap_err();
    assert_eq!(write.code(), Some("25006"));
    let mut tx = acme.begin().await.unwrap();
    sqlx::query(COUNT).fetch_one(&mut tx).await.unwrap();
    support.end(grant.id(), None).await.unwrap();
    let over = sqlx::query(COUNT).fetch_one(&mut tx).await.unwrap_err();
    assert!(Error::from(over).is_impersonation_over());
    tx.rollback().await.unwrap();
    assert!(acme.begin().await.unwrap_err().is_impersonation_over());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_it_was_approved() {
    let (fixture, role) = world("c_support_approved").await;
    fixture.superuser.run(&format!("alter role {role} set pg_tenant.impersonation_approval = on")).await;
    let pool: TenantPool = fixture.pool_of(fixture.config(&role), 1);
    let (first, second) = (
        Support::new(pool.clone()),
        Support::new(fixture.pool_of(fixture.config(&format!("regress_{}_second", fixture.db.name)), 1)),
    );
    let grant = first.ask(NewImpersonation::new("acme", "ticket 7")).await.unwrap();
    assert!(pool.impersonate(&grant).query(COUNT, &[]).await.unwrap_err().is_impersonation_over());
    assert_eq!(first.approve(grant.id()).await.unwrap_err().code(), Some("TN158"));
    second.approve(grant.id()).await.unwrap();
    pool.impersonate(&grant).query(COUNT, &[]).await.unwrap();
}
