//! Enough of the main job to tell that every file is where the server looks for it.

use pg_tenant_tests::{Cluster, Options};

/// The extension works on a server that these options start, and the one before it can be upgraded.
pub async fn it_works(options: Options) {
    let cluster = Cluster::start(options);
    let db = cluster.database("smoke").await;
    let owner = db.protector().await;
    owner.run("select tenant.create('acme'); select tenant.create('globex')").await;
    owner.run("create table orders (tenant_id text, id int)").await;
    owner.run("insert into orders values ('acme', 1), ('globex', 2); select tenant.protect('orders')").await;
    owner.run(&format!("grant select, insert on orders to {}", db.roles.app)).await;
    let app = db.app().await;
    app.expect_error("TN001", "select * from orders").await;
    app.run("begin; select tenant.enter('acme')").await;
    assert_eq!(app.value("select string_agg(id::text, ',') from orders").await.as_deref(), Some("1"));
    app.expect_error("42501", "insert into orders values ('globex', 3)").await;
    app.run("rollback").await;

    let upgraded = cluster.plain_database("upgraded").await;
    let boss = upgraded.superuser().await;
    boss.run("create extension pg_tenant version '0.1.0'; alter extension pg_tenant update").await;
    let version = boss.value("select tenant.version()").await;
    assert_eq!(version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
}
