//! TRUNCATE that comes through a subscription removes every tenant's rows: no guard is called where it is applied, and
//! on 16 and later not even `run_as_owner = false` stops it. The doctor says so, and what it names closes it.

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

/// The fix of this finding, where it is there.
async fn fix(session: &Session, code: &str) -> Option<String> {
    session.value(&format!("select max(fix) from tenant.doctor() where code = '{code}' and level = 'error'")).await
}

#[tokio::test]
async fn before_and_after_it_was_protected() {
    let cluster =
        Cluster::start(Options::default().set("wal_level", "logical").set("wal_retrieve_retry_interval", "100ms"));
    let table = "create table orders (tenant_id text not null, id int primary key)";
    let rows = "insert into orders values ('acme', 1), ('globex', 2)";
    // Both ends are protected: the source's finding is T115.
    let source = cluster.database("source").await;
    source.admin().await.run("select tenant.create('acme'), tenant.create('globex')").await;
    source.protector().await.run(&format!("{table}; select tenant.protect('orders')")).await;
    let from = source.superuser().await;
    from.run(&format!("{rows}; create publication p for table orders")).await;
    for slot in ["early", "late"] {
        from.run(&format!("select pg_create_logical_replication_slot('{slot}', 'pgoutput')")).await;
    }
    let (host, port) = (cluster.socket_dir().display(), cluster.port());
    let subscribe = |slot: &str| {
        format!(
            "create subscription {slot} connection 'host={host} port={port} dbname={} user=postgres' publication p
                with (create_slot = false, slot_name = '{slot}', copy_data = false)",
            source.name
        )
    };

    let early = cluster.database("early").await;
    let late = cluster.database("late").await;
    let (first, second) = (early.superuser().await, late.superuser().await);
    for end in [&early, &late] {
        end.admin().await.run("select tenant.create('acme'), tenant.create('globex')").await;
        end.protector().await.run(&format!("{table}; {rows}")).await;
    }
    first.run(&subscribe("early")).await; // before it is protected
    for end in [&early, &late] {
        end.protector().await.run("select tenant.protect('orders')").await;
    }
    second.run(&subscribe("late")).await;

    // The hole, with the defaults of each major; the fix holds the second one back.
    let fence = fix(&second, "T114").await.expect("T114, of a subscription made after protection");
    assert!(fence.contains("execute function tenant.refuse_truncate()"), "{fence}");
    second.run(&fence).await;
    assert_eq!(fix(&second, "T114").await, None, "the fix mends it");
    assert!(fix(&first, "T114").await.is_some(), "T114, of a subscription made before protection");
    from.run("truncate orders").await;
    until("the truncation", async || count(&first).await == "0").await;
    until("the refusal", async || cluster.log().contains("cannot truncate protected table public.orders")).await;
    assert_eq!(count(&second).await, "2");

    // And the source does not send another one.
    let stop = fix(&from, "T115").await.expect("T115");
    from.run(&stop).await;
    assert_eq!(fix(&from, "T115").await, None, "the fix mends it");
    first.run(rows).await;
    from.run("truncate orders; create table passed (id int); create publication done for table passed").await;
    let sent = "select confirmed_flush_lsn >= pg_current_wal_lsn() from pg_replication_slots where slot_name = 'early'";
    from.run("insert into passed values (1)").await;
    until("all that was sent", async || from.value(sent).await.as_deref() == Some("t")).await;
    assert_eq!(count(&first).await, "2");
    for (end, slot) in [(&first, "early"), (&second, "late")] {
        end.run(&format!("alter subscription {slot} disable; alter subscription {slot} set (slot_name = none); drop subscription {slot}"))
            .await;
    }
}
