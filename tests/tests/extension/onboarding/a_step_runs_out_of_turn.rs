//! A step runs before those that it comes after, or the tenant is entered before the last one is done.

use super::fixture::{STEPS, begin, claim, made, status, steps, work, workshop};

#[tokio::test]
async fn before_those_that_it_comes_after() {
    let (db, worker) = workshop("turn").await;
    begin(&worker, "acme", STEPS).await;
    assert_eq!(steps(&worker, "acme").await, "schema waiting 0, rows waiting 0, billing waiting 0, welcome waiting 0");
    let (first, second) = (claim(&worker).await.expect("one"), claim(&worker).await.expect("one"));
    assert_eq!([&*first.step, &*second.step], ["schema", "billing"]);
    assert_eq!((&*first.key, first.attempt, first.undo), ("acme/schema", 1, false));
    assert_eq!(claim(&worker).await, None, "the others wait for these");
    worker.run(&second.call("finish_step", ", '{\"account\": 7}'")).await;
    assert_eq!(claim(&worker).await, None);
    first.perform(&worker).await;
    let rows = claim(&worker).await.expect("one");
    assert_eq!((&*rows.step, &*rows.results), ("rows", r#"{"schema": null}"#));
    rows.perform(&worker).await;
    // It is told what all before it have returned.
    let welcome = claim(&worker).await.expect("the last");
    assert_eq!(welcome.results, r#"{"rows": null, "schema": null, "billing": {"account": 7}}"#);
    assert_eq!(status(&worker, "acme").await, "provisioning");
    welcome.perform(&worker).await;
    assert_eq!(status(&worker, "acme").await, "active");
    assert_eq!(made(&db, "acme").await, "rows schema welcome");
    assert_eq!(claim(&worker).await, None);
    let journal = "select string_agg(concat_ws(' ', action, detail ->> 'step'), ', ' order by id) from tenant.journal where object = 'acme'";
    assert_eq!(
        worker.value(journal).await.as_deref(),
        Some(
            "create, begin_onboarding, finish_step billing, finish_step schema, finish_step rows, finish_step welcome, activate"
        )
    );
}

/// Whoever may not enter yet is told the step; whoever activates the tenant by hand is refused.
#[tokio::test]
async fn before_the_last_one_is_done() {
    let (db, worker) = workshop("early").await;
    let app = db.app().await;
    begin(&worker, "acme", STEPS).await;
    let enter = "begin; select tenant.enter('acme')";
    let refused = app.expect_error("TN130", enter).await;
    assert!(refused.detail().is_some_and(|detail| detail.contains("at step schema")), "{refused:?}");
    app.run("rollback").await;
    claim(&worker).await.expect("schema").perform(&worker).await;
    let refused = app.expect_error("TN130", enter).await;
    assert!(refused.detail().is_some_and(|detail| detail.contains("at step rows")), "{refused:?}");
    app.run("rollback").await;
    for by_hand in [
        "select tenant.activate('acme')",
        "update tenant.tenants set status = 'active'",
        "select tenant.mark_purged('acme', 'no more')",
    ] {
        let refused = worker.expect_error("TN133", by_hand).await;
        assert!(refused.detail().is_some_and(|detail| detail.contains("of its onboarding is")), "{refused:?}");
    }
    // In the transaction of the last step, and with it or not at all.
    work_all_but_welcome(&worker).await;
    let last = claim(&worker).await.expect("welcome");
    worker.run("begin; select tenant.enter('acme')").await;
    worker.run(&format!("{}; rollback", last.call("finish_step", ""))).await;
    assert_eq!(status(&worker, "acme").await, "provisioning");
    last.perform(&worker).await;
    app.inside("acme", "select 1").await;
}

async fn work_all_but_welcome(worker: &pg_tenant_tests::Session) {
    for _ in 0..2 {
        claim(worker).await.expect("a step").perform(worker).await;
    }
}

/// Two that are the last at the same time: each waits for the other's commit, and one of them makes the tenant active.
#[tokio::test]
async fn two_end_at_once() {
    let (db, one) = workshop("at_once").await;
    let two = db.admin().await;
    for isolation in ["read committed", "repeatable read"] {
        let tenant = isolation.replace(' ', "_");
        begin(&one, &tenant, r#"[{"step": "a"}, {"step": "b"}]"#).await;
        let (a, b) = (claim(&one).await.expect("a"), claim(&two).await.expect("b"));
        one.run(&format!("begin isolation level {isolation}; {}", a.call("finish_step", ""))).await;
        two.run(&format!("begin isolation level {isolation}; select 1")).await;
        let finish = b.call("finish_step", "");
        let both = async { two.batch_execute(&finish).await };
        let (ended, ()) = tokio::join!(both, async {
            while db.superuser().await.value("select count(*) from pg_locks where not granted").await.as_deref()
                == Some("0")
            {}
            one.run("commit").await;
        });
        match ended {
            Ok(()) => two.run("commit").await,
            // Its snapshot is older than the other's end: it is tried again.
            Err(error) => {
                assert_eq!((error.code().map(|c| c.code()), isolation), (Some("40001"), "repeatable read"));
                two.run(&format!("rollback; {finish}")).await;
            }
        }
        assert_eq!(status(&one, &tenant).await, "active", "{isolation}");
    }
    assert_eq!(work(&one).await, [""; 0]);
}
