//! A tenant that was set up before anybody asked for it is given to two, or before it is ready.

use std::collections::BTreeSet;

use super::fixture::{begin, claim, made, status, work, workshop};

const POOL: &str = r#"[{"step": "a"}, {"step": "b", "after": ["a"]}]"#;
const WITH_LAST: &str = r#"[{"step": "a"}, {"step": "name_it", "after": ["a"], "at_claim": true}]"#;

#[tokio::test]
async fn to_two_at_once() {
    let (db, worker) = workshop("ready").await;
    assert_eq!(worker.value("select tenant.claim_ready_tenant('Acme')").await, None, "an empty pool gives none");
    worker.run(&format!("select tenant.set_ready_pool('default', 5, '{POOL}')")).await;
    assert_eq!(worker.value("select tenant.top_up_ready_tenants(3)").await.as_deref(), Some("3"));
    assert_eq!(worker.value("select tenant.claim_ready_tenant('Acme')").await, None, "none is ready yet");
    assert_eq!(worker.value("select tenant.top_up_ready_tenants()").await.as_deref(), Some("2"));
    assert_eq!(worker.value("select tenant.top_up_ready_tenants()").await.as_deref(), Some("0"));
    assert_eq!(work(&worker).await.len(), 10);
    let ready = "select count(*) from tenant.ready_tenants where pool = 'default'";
    assert_eq!(worker.value(ready).await.as_deref(), Some("5"));
    let one: String = worker.value("select tenant_id from tenant.ready_tenants limit 1").await.expect("one");
    let refused = worker.expect_error("TN133", &format!("select tenant.activate('{one}')")).await;
    assert!(refused.detail().is_some_and(|detail| detail.contains("waits in pool")), "{refused:?}");
    let refused = db.app().await.expect_error("TN130", &format!("select tenant.enter('{one}')")).await;
    assert!(refused.detail().is_some_and(|detail| detail.contains("at step ready")), "{refused:?}");
    db.admin().await.run("select tenant.declare_setting('n', 'integer')").await;
    let mut given = BTreeSet::new();
    let mut sessions = Vec::new();
    for n in 0..5 {
        let session = db.admin().await;
        session.run("begin").await;
        let call = format!("select tenant.claim_ready_tenant('Acme {n}', 'acme-{n}', settings => '{{\"n\": {n}}}')");
        assert!(given.insert(session.value(&call).await.expect("a tenant")), "given again");
        sessions.push(session);
    }
    assert_eq!(db.admin().await.value("select tenant.claim_ready_tenant('Late')").await, None);
    // One was not wanted after all.
    sessions.pop().expect("one").run("rollback").await;
    for session in sessions {
        session.run("commit").await;
    }
    let active = "select count(*) from tenant.tenants where status = 'active' and name like 'Acme %' and settings ? 'n' and slug is not null";
    assert_eq!(worker.value(active).await.as_deref(), Some("4"));
    assert_eq!(worker.value(ready).await.as_deref(), Some("1"));
    worker.expect_error("TN050", "select tenant.claim_ready_tenant('Other', 'acme-1')").await;
    worker.expect_error("TN053", "select tenant.claim_ready_tenant('Other', 'A')").await;
    worker.expect_error("TN053", "select tenant.claim_ready_tenant('Other', settings => '[]')").await;
    worker.expect_error("TN153", "select tenant.claim_ready_tenant('Other', input => '[]')").await;
    worker.expect_error("TN153", "select tenant.claim_ready_tenant('Other', pool => 'A B')").await;
    // Who has one is a tenant like any other.
    let id = worker.value("select tenant.claim_ready_tenant('Globex', 'globex')").await.expect("the last");
    assert_eq!(made(&db, &id).await, "a b");
    db.app().await.inside(&id, "select 1").await;
    assert_eq!(worker.value("select tenant.top_up_ready_tenants()").await.as_deref(), Some("5"));
}

/// Steps that are kept for whoever gets it run then, with what the claim has said.
#[tokio::test]
async fn before_its_last_step() {
    let (_db, worker) = workshop("kept_for_claim").await;
    worker
        .run(&format!("select tenant.set_ready_pool('trial', 1, '{WITH_LAST}'), tenant.top_up_ready_tenants()"))
        .await;
    assert_eq!(work(&worker).await, ["a"], "the other waits for somebody to have it");
    let claimed =
        "select tenant.claim_ready_tenant('Acme', 'acme', 'gold', input => '{\"owner\": \"ann\"}', pool => 'trial')";
    worker.run("insert into tenant.tenants (id, slug) values ('taken', 'taken')").await;
    let id = worker.value(claimed).await.expect("one");
    assert_eq!(status(&worker, &id).await, "provisioning");
    let input = worker.rows("select step, input ->> 'owner' from tenant.claim_step('w')").await;
    assert_eq!(input, [[Some("name_it".to_owned()), Some("ann".to_owned())]]);
    worker.run(&format!("select tenant.finish_step('{id}', 'name_it', 1)")).await;
    assert_eq!(status(&worker, &id).await, "active");
    for malformed in [
        format!("'trial', -1, '{POOL}'"),
        format!("'trial', null, '{POOL}'"),
        format!("'A', 1, '{POOL}'"),
        "'trial', 1, '[]'".to_owned(),
    ] {
        worker.expect_error("TN153", &format!("select tenant.set_ready_pool({malformed})")).await;
    }
}

/// What was given up, or has failed, is given to nobody; and failures make no tenants without end.
#[tokio::test]
async fn after_it_was_given_up() {
    let (_db, worker) = workshop("given_up").await;
    worker.run(&format!("select tenant.set_ready_pool('default', 2, '{POOL}'), tenant.top_up_ready_tenants()")).await;
    let bad = claim(&worker).await.expect("a");
    worker.run(&bad.call("fail_step", ", 'broken', give_up => true")).await;
    assert_eq!(work(&worker).await, ["a", "b"]);
    assert_eq!(worker.value("select tenant.top_up_ready_tenants()").await.as_deref(), Some("0"));
    let good = worker.value("select tenant_id from tenant.ready_tenants").await.expect("the other");
    worker.run(&format!("select tenant.abandon_onboarding('{good}', 'made for an older version')")).await;
    assert_eq!(worker.value("select tenant.claim_ready_tenant('Acme')").await, None);
    assert_eq!(work(&worker).await, ["b!", "a!"]);
    assert_eq!(status(&worker, &good).await, "purged");
    assert_eq!(worker.value("select tenant.top_up_ready_tenants()").await.as_deref(), Some("1"));
    // One by hand, of an id of one's own.
    begin(&worker, "4711", POOL).await;
    worker.run(&format!("select tenant.begin_onboarding(4712, '{POOL}', pool => 'numbers')")).await;
    work(&worker).await;
    assert_eq!(
        worker.value("select tenant.claim_ready_tenant('Acme', pool => 'numbers')").await.as_deref(),
        Some("4712")
    );
    assert_eq!(worker.value("select target from tenant.ready_pools").await.as_deref(), Some("2"));
}
