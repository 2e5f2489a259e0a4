//! Databases of the same cluster without the extension notice nothing of it: the hooks are inert there, and a policy of
//! the same name is only a policy.

use pg_tenant_tests::shop::{A, shop};
use pg_tenant_tests::{Cluster, Database, Options};

async fn plain(name: &str) -> Database<'static> {
    Cluster::shared().plain_database(name).await
}

#[tokio::test]
async fn a_policy_of_the_same_name_locks_the_table() {
    let db = plain("same_name").await;
    let boss = db.superuser().await;
    boss.run(&format!("create schema tenant authorization {}; grant usage on schema tenant to public", db.roles.owner))
        .await;
    let owner = db.owner().await;
    owner
        .run(&format!(
            "create function tenant.current_uuid() returns uuid language sql stable as $$ select '{A}'::uuid $$;
             create table orders (tenant_id uuid, id int); insert into orders values ('{A}', 1);
             alter table orders enable row level security, force row level security;
             create policy tenant_isolation on orders as restrictive using (tenant_id = tenant.current_uuid());
             create policy tenant_access on orders using (tenant_id = tenant.current_uuid());"
        ))
        .await;
    assert_eq!(db.app().await.value("select count(*) from orders").await.as_deref(), Some("1"));
    owner
        .run(
            "create materialized view m as select * from orders;
             create table copy as select * from orders;
             begin; lock table orders; declare c cursor with hold for select * from orders; commit; fetch c; close c;
             alter table orders no force row level security, disable row level security;
             drop policy tenant_isolation on orders;
             alter table orders drop column tenant_id cascade;
             truncate orders;
             begin; insert into copy values (null, 2); prepare transaction 'neighbour'",
        )
        .await;
    owner.run("rollback prepared 'neighbour'").await;
}

#[tokio::test]
async fn a_session_without_the_extension_works() {
    let db = plain("inert").await;
    let app = db.app().await;
    app.expect_error("3F000", "select tenant.enter('acme')").await; // no such schema: PostgreSQL's own
    assert_eq!(app.value("show pg_tenant.id").await.as_deref(), Some(""));
    app.expect_error("42501", "set pg_tenant.id = 'acme'").await; // the setting is the cluster's
    app.run("discard all").await;
    app.run("begin; create temp table t (n int) on commit drop; select * from t; rollback").await;
}

#[tokio::test]
async fn a_bound_role_works_elsewhere() {
    let (db, other) = (shop("bound_here").await, plain("bound_there").await);
    let bound = format!("regress_{}_bi", db.name);
    db.superuser().await.run(&format!("create role {bound} login in role tenant_user")).await;
    db.admin().await.run(&format!("select tenant.bind_role('{bound}', '{A}')")).await;
    other.owner().await.run(&format!("create table t (n int); grant select on t to {bound}")).await;
    other.superuser().await.run(&format!("grant create on schema public to {bound}; grant all on t to {bound}")).await;
    other
        .connect(&bound)
        .await
        .run(
            "select * from t; create table copy as select * from t; create view v as select * from t;
             begin; lock table v; declare c cursor with hold for select * from t; commit; fetch c",
        )
        .await;
}

#[tokio::test]
async fn two_databases_share_a_registry() {
    let (one, two) = (shop("registry_one").await, shop("registry_two").await);
    one.admin().await.run("select tenant.create('only-here')").await;
    one.app().await.inside("only-here", "select 1").await;
    two.app().await.expect_error("TN002", "select tenant.enter('only-here')").await;
    one.admin().await.run(&format!("select tenant.suspend('{A}')")).await;
    two.app().await.inside(A, "select * from orders").await;
}

#[tokio::test]
async fn two_databases_install_at_once() {
    let cluster = Cluster::start(Options::default());
    let (one, two) = (cluster.plain_database("first").await, cluster.plain_database("second").await);
    let (first, second) = (one.superuser().await, two.superuser().await);
    first.run("begin; create extension pg_tenant").await;
    // The roles are the cluster's: the second waits for the first one's, and takes them.
    let waiting = tokio::spawn(async move {
        second.run("create extension pg_tenant").await;
        second
    });
    let blocked =
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'create extension%'";
    let boss = cluster.superuser().await;
    while boss.value(blocked).await.as_deref() != Some("1") {
        assert!(!waiting.is_finished(), "the second did not wait");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    first.run("commit").await;
    let second = waiting.await.expect("the second is installed");
    for session in [&first, &second] {
        assert_eq!(session.value("select tenant.create('acme')::text").await.as_deref(), Some("acme"));
    }
}
