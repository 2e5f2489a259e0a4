//! Logical replication into a protected table: it works for a subscription that applies as a superuser, and where it
//! applies as the table's owner (the default from 16) it stops with an error, not with rows that are nobody's.

use std::time::{Duration, Instant};

use pg_tenant_tests::{Cluster, Options, Session};

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !done().await {
        assert!(since.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn count(session: &Session) -> String {
    session.value("select count(*) from orders").await.expect("a count")
}

#[tokio::test]
async fn a_subscription_writes_around_the_fence_or_not_at_all() {
    let cluster =
        Cluster::start(Options::default().set("wal_level", "logical").set("wal_retrieve_retry_interval", "100ms"));
    let table = "create table orders (tenant_id text not null, id int primary key)";
    let source = cluster.plain_database("source").await;
    source.owner().await.run(&format!("{table}; insert into orders values ('acme', 1), ('globex', 2)")).await;
    let from = source.superuser().await;
    from.run("create publication p for table orders").await;
    from.run("select pg_create_logical_replication_slot('s', 'pgoutput')").await;

    let target = cluster.database("target").await;
    target.admin().await.run("select tenant.create('acme'), tenant.create('globex')").await;
    target.protector().await.run(&format!("{table}; select tenant.protect('orders')")).await;
    let to = target.superuser().await;
    let (host, port) = (cluster.socket_dir().display(), cluster.port());
    let subscribe = format!(
        "create subscription s connection 'host={host} port={port} dbname={} user=postgres' publication p
            with (create_slot = false, slot_name = 's')",
        source.name
    );
    to.run(&subscribe).await;
    if cluster.install().major >= 16 {
        // Applies as the owner, whom row-level security holds: PostgreSQL refuses, and says so in the log.
        until("the refusal", async || cluster.log().contains("cannot replicate into relation with row-level security"))
            .await;
        assert_eq!(count(&to).await, "0");
        to.run("alter subscription s set (run_as_owner = true)").await;
    }
    until("the first copy", async || count(&to).await == "2").await;
    from.run("insert into orders values ('globex', 3); update orders set id = 10 where id = 1; delete from orders where id = 2").await;
    let ids = "select string_agg(tenant_id || id, ' ' order by id) from orders";
    until("the changes", async || to.value(ids).await.as_deref() == Some("globex3 acme10")).await;

    // What arrived is protected like everything else.
    let app = target.app().await;
    app.expect_error("TN001", "select * from orders").await;
    assert_eq!(app.inside_value("acme", ids).await.as_deref(), Some("acme10"));
    assert_eq!(app.inside_value("globex", ids).await.as_deref(), Some("globex3"));
    // TRUNCATE is replicated too, by a superuser with no tenant: of every tenant's rows. The doctor said so before.
    let said =
        "select level from tenant.doctor() where code = 'T114' and object = 's' and problem like '%public.orders%'";
    assert_eq!(target.admin().await.value(said).await.as_deref(), Some("error"));
    from.run("truncate orders").await;
    until("the truncation", async || count(&to).await == "0").await;
    to.run("alter subscription s disable; alter subscription s set (slot_name = none); drop subscription s").await;
}
