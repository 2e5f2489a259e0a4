//! A hot standby serves tenants as the primary does: the same refusals, the same limits, and what the primary decides
//! is seen by the standby's next transaction.

use std::time::{Duration, Instant};

use pg_tenant_tests::{Cluster, Options, Session};

/// Waits until the standby has replayed what the primary has written.
async fn follow(primary: &Session, standby: &Session) {
    let written = primary.value("select pg_current_wal_lsn()").await.expect("a position");
    let replayed = format!("select (pg_last_wal_replay_lsn() >= '{written}')::text");
    let since = Instant::now();
    while standby.value(&replayed).await.as_deref() != Some("true") {
        assert!(since.elapsed() < Duration::from_secs(60), "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_standby_serves_nobody_or_everybody() {
    let cluster = Cluster::start(Options::default().set("synchronous_commit", "on"));
    let db = cluster.database("standby").await;
    let (owner, admin, boss) = (db.protector().await, db.admin().await, db.superuser().await);
    admin.run("select tenant.create('acme'), tenant.create('globex')").await;
    owner
        .run("create table orders (tenant_id text, id int); insert into orders values ('acme', 1), ('acme', 2), ('globex', 3)")
        .await;
    owner
        .run("select tenant.protect('orders'), tenant.set_limits('acme', statement_timeout => '7s', work_mem => '1MB')")
        .await;
    let bound = format!("regress_{}_bi", db.name);
    boss.run(&format!("create role {bound} login in role tenant_user; grant select on orders to {bound}")).await;
    boss.run(&format!("select tenant.bind_role('{bound}', 'globex')")).await;

    let operator = format!("regress_{}_operator", db.name);
    boss.run(&format!("create role {operator} login in role tenant_user, tenant_system")).await;
    boss.run("grant select, insert on orders to tenant_system").await;

    admin
        .run("select tenant.define_role('viewer', 10), tenant.define_role('editor', 20, '{invoice.write}'), tenant.define_role('owner', 40), tenant.add_member('acme', 'ann', 'editor')")
        .await;

    let standby = cluster.standby();
    let there = |role: &str| standby.config(&db.name, role);
    let (app, watch) = (Session::connect(&there(&db.roles.app)).await, Session::connect(&there("postgres")).await);
    follow(&boss, &watch).await;
    assert_eq!(app.value("select pg_is_in_recovery()::text").await.as_deref(), Some("true"));

    app.expect_error("TN001", "select * from orders").await;
    assert_eq!(app.inside_value("acme", "select sum(id) from orders").await.as_deref(), Some("3"));
    assert_eq!(app.inside_value("globex", "select sum(id) from orders").await.as_deref(), Some("3"));
    app.expect_error("TN002", "select tenant.enter('nobody')").await;
    app.refused_inside("TN005", "acme", "select tenant.enter('globex')").await;
    app.refused_inside("25006", "acme", "insert into orders (id) values (4)").await; // PostgreSQL's own: read only
    app.expect_error("42501", "set pg_tenant.id = 'acme'").await;
    // Limits.
    assert_eq!(app.inside_value("acme", "show statement_timeout").await.as_deref(), Some("7s"));
    app.refused_inside("TN009", "acme", "set local work_mem = '64MB'").await;
    // A bound role.
    let bi = Session::connect(&there(&bound)).await;
    assert_eq!(bi.value("select sum(id) from orders").await.as_deref(), Some("3"));
    bi.expect_error("TN006", "select tenant.enter('acme')").await;

    // Who acts: a change of a member or a role is seen by the standby's next transaction.
    for (change, may) in [
        ("select 1", "t"),
        ("select tenant.set_member_role('acme', 'ann', 'viewer')", "f"),
        ("select tenant.define_role('viewer', 10, '{invoice.write}')", "t"),
        ("select tenant.deactivate_member('acme', 'ann')", "f"),
    ] {
        admin.run(change).await;
        follow(&boss, &watch).await;
        for _ in 0..2 {
            app.run("begin; select tenant.enter('acme', 'ann')").await;
            assert_eq!(app.value("select tenant.can('invoice.write')").await.as_deref(), Some(may), "{change}");
            app.run("commit").await;
        }
    }

    // The system context: read-only, and in the log alone.
    let operator = Session::connect(&there(&operator)).await;
    operator.run("begin; select tenant.enter_system('a report on the standby')").await;
    assert_eq!(operator.value("select sum(id) from orders").await.as_deref(), Some("6"));
    operator.expect_error("25006", "insert into orders values ('acme', 4)").await;
    operator.run("rollback").await;
    operator.expect_error("TN015", "select tenant.enter_system('a repair on the standby', write => true)").await;
    operator.expect_error("TN001", "select * from orders").await;
    operator.expect_error("TN014", "select tenant.enter_system('both'), tenant.enter('acme')").await;
    app.expect_error("TN013", "select tenant.enter_system('a stranger')").await;
    assert!(standby.log().contains("for reading: a report on the standby"));

    // What the primary decides reaches the next transaction of sessions that are open.
    admin.run("select tenant.suspend('acme'), tenant.suspend('globex')").await;
    follow(&boss, &watch).await;
    app.expect_error("TN003", "select tenant.enter('acme')").await; // TN003
    bi.expect_error("TN003", "select * from orders").await;
    admin.run("select tenant.resume('acme'), tenant.create('initech')").await;
    follow(&boss, &watch).await;
    app.inside("acme", "select * from orders").await;
    assert_eq!(app.inside_value("initech", "select count(*) from orders").await.as_deref(), Some("0"));
    owner.run("create table bills (tenant_id text); select tenant.protect('bills')").await;
    owner.run("select tenant.unprotect('orders', 'to see it follow')").await;
    follow(&boss, &watch).await;
    app.expect_error("TN001", "select * from bills").await;
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"));

    standby.promote();
    app.inside("acme", "insert into bills default values").await;
    app.expect_error("TN001", "select * from bills").await;
}
