//! A server that does not preload the library has none of its hooks: the extension refuses to be installed there, and
//! what was protected denies.

use pg_tenant_tests::{Cluster, Options};

#[tokio::test]
async fn the_extension_is_installed_without_its_hooks() {
    let cluster = Cluster::start(Options::without_preload());
    let db = cluster.plain_database("unhooked").await;
    let boss = db.superuser().await;
    let refused = boss.expect_error("TN010", "create extension pg_tenant").await; // TN010
    assert!(refused.hint().is_some_and(|hint| hint.contains("shared_preload_libraries")), "{refused:?}");
    assert!(refused.detail().is_some(), "{refused:?}");
    // pg_upgrade loads every library: that must do no harm, and changes nothing.
    boss.run("load 'pg_tenant'; select 1").await;
    boss.expect_error("TN010", "create extension pg_tenant").await;
    // A setting of the name is no proof.
    boss.run("set pg_tenant.id = 'acme'").await;
    boss.expect_error("TN010", "create extension pg_tenant").await;
    boss.run("create table t as select 1 as n; truncate t; drop table t").await;
    assert!(!cluster.log().contains("terminated by signal"));
}

#[tokio::test]
async fn a_server_that_stops_preloading_opens_its_tables() {
    let cluster = Cluster::start(Options::default());
    let db = cluster.database("stopped").await;
    let owner = db.protector().await;
    owner.run("select tenant.create('acme'); create table orders (tenant_id text, id int)").await;
    owner.run("insert into orders values ('acme', 1); select tenant.protect('orders')").await;
    let bound = format!("regress_{}_bi", db.name);
    let boss = db.superuser().await;
    boss.run(&format!("create role {bound} login in role tenant_user; grant select on orders to {bound}")).await;
    boss.run(&format!("select tenant.bind_role('{bound}', 'acme')")).await;
    boss.run("alter system set shared_preload_libraries = 'plpgsql'").await;
    drop((owner, boss));
    cluster.stop();
    cluster.start_again();

    for role in [&db.roles.app, &db.roles.owner, &db.roles.bystander, &bound] {
        let session = db.connect(role).await;
        assert_eq!(session.value("select count(*) from orders").await.as_deref(), Some("0"), "{role}");
        // Without the library the name is anybody's; the readers do not look at it.
        session.run("set pg_tenant.id = 'acme'; set pg_tenant.strict = off").await;
        assert_eq!(session.value("select count(*) from orders").await.as_deref(), Some("0"), "{role}");
    }
    let (app, owner, boss) = (db.app().await, db.owner().await, db.superuser().await);
    assert_eq!(app.value("select tenant.current_id()").await, None);
    app.expect_error("42501", "insert into orders values ('acme', 2)").await;
    let refused = app.expect_error("TN010", "select tenant.enter('acme')").await; // TN010
    assert!(refused.hint().is_some_and(|hint| hint.contains("shared_preload_libraries")), "{refused:?}");
    app.expect_error("TN010", "select tenant.enter_pristine('acme')").await;
    for call in
        ["tenant.protect('orders')", "tenant.unprotect('orders', 'x')", "tenant.create('globex')", "tenant.version()"]
    {
        owner.expect_error("TN010", &format!("select {call}")).await;
        boss.expect_error("TN010", &format!("select {call}")).await;
    }
    assert_eq!(boss.value("select count(*) from orders").await.as_deref(), Some("1"));
    boss.run("alter system reset shared_preload_libraries").await;
    drop((app, owner, boss));
    cluster.stop();
    cluster.start_again();
    assert_eq!(db.app().await.inside_value("acme", "select count(*) from orders").await.as_deref(), Some("1"));
    assert!(!cluster.log().contains("terminated by signal"));
}
