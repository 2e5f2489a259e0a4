//! A fresh installation, properly protected, has nothing to report at levels error and warn.

use pg_tenant_tests::{Cluster, Options, Session};

/// A server of its own, since roles belong to the server and other tests leave theirs.
#[tokio::test]
async fn a_fresh_installation() {
    let cluster = Cluster::start(Options::default());
    let boss = cluster.superuser().await;
    boss.run("create extension pg_tenant").await;
    // Which minor version the tests were given is not what they are about.
    boss.run("select tenant.waive(code, object, 'the server of a test', now() + interval '1 day') from tenant.doctor(every_object => true) where code = 'T087'")
        .await;
    assert_eq!(findings(&boss).await, Vec::<String>::new());
    boss.run(
        "create role regress_owner login in role tenant_admin; create role regress_app login in role tenant_user;
         grant create, usage on schema public to regress_owner",
    )
    .await;
    let owner = Session::connect(&cluster.config("postgres", "regress_owner")).await;
    owner
        .run(
            "select tenant.create('acme');
             create table customers (tenant_id text, id uuid default gen_random_uuid(), name text, primary key (tenant_id, id));
             create table orders (tenant_id text, id uuid default gen_random_uuid(), customer uuid, note text,
                primary key (tenant_id, id), foreign key (tenant_id, customer) references customers);
             create table events (tenant_id text, at timestamptz, what text) partition by range (at);
             create table events_1 partition of events for values from ('2026-01-01') to ('2027-01-01');
             create table countries (code text primary key);
             create table predefined (tenant_id text, id uuid default gen_random_uuid(), code text, unique (tenant_id, id));
             insert into predefined (code) values ('admin');
             create view open_orders with (security_invoker = true) as select * from orders where note is null;
             select tenant.share('countries', 'the same for everyone');
             grant select, insert, update, delete on customers, orders, events, predefined to regress_app;
             grant select on open_orders, countries to regress_app;",
        )
        .await;
    owner.run("select * from tenant.protect_schema('public', shared_rows => '{predefined}')").await;
    assert_eq!(findings(&owner).await, Vec::<String>::new());
    owner.run("select tenant.assert_healthy('warn')").await;
    owner.expect_error("TN080", "select tenant.assert_healthy('info')").await; // who is superuser, at least
}

async fn findings(session: &Session) -> Vec<String> {
    let sql = "select concat_ws(' ', code, level, object, problem) from tenant.doctor(every_object => true) where level <> 'info'";
    session.rows(sql).await.into_iter().flatten().flatten().collect()
}
