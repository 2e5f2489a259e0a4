//! Two workers have the same attempt, or one whose time is over ends a step that is another's.

use std::collections::BTreeSet;

use super::fixture::{STEPS, begin, claim, let_time_pass, made, status, steps, work, workshop};

/// Many workers at once, each in a transaction that stays open: none gets what another has.
#[tokio::test]
async fn by_two_workers() {
    let (db, worker) = workshop("twice").await;
    for tenant in ["acme", "globex", "hooli"] {
        begin(&worker, tenant, r#"[{"step": "a"}, {"step": "b"}, {"step": "c"}]"#).await;
    }
    let mut taken = BTreeSet::new();
    let mut sessions = Vec::new();
    for _ in 0..9 {
        let session = db.admin().await;
        session.run("begin").await;
        let claim = claim(&session).await.expect("a step");
        assert!(taken.insert((claim.tenant.clone(), claim.step.clone())), "{claim:?} again");
        sessions.push(session);
    }
    assert_eq!(claim(&worker).await, None);
    // Those that were rolled back can be had again.
    for session in &sessions {
        session.run("rollback").await;
    }
    assert_eq!(work(&worker).await.len(), 9);
    for tenant in ["acme", "globex", "hooli"] {
        assert_eq!((&*status(&worker, tenant).await, &*made(&db, tenant).await), ("active", "a b c"));
    }
}

#[tokio::test]
async fn by_one_whose_time_is_over() {
    let (db, late) = workshop("late").await;
    let worker = db.admin().await;
    begin(&worker, "acme", STEPS).await;
    let first = claim(&late).await.expect("schema");
    // Its transaction has done all but to end the step.
    late.run("begin; select tenant.enter('acme'); insert into made (step, attempt) values ('schema', 1)").await;
    let_time_pass(&db).await;
    let second = claim(&worker).await.expect("schema again, since the lease is over");
    assert_eq!((&*second.step, second.attempt, &second.key), ("schema", 2, &first.key));
    let refused = late.expect_error("TN154", &first.call("finish_step", "")).await;
    assert!(
        refused.detail().is_some_and(|detail| detail.contains("its last attempt is 2")) && refused.hint().is_some()
    );
    late.run("rollback").await;
    for call in [first.call("fail_step", ", 'too slow'"), first.call("extend_step", "")] {
        late.expect_error("TN154", &call).await;
    }
    second.perform(&worker).await;
    for call in
        [first.call("finish_step", ""), second.call("fail_step", ", 'after all'"), second.call("extend_step", "")]
    {
        late.expect_error("TN154", &call).await;
    }
    assert_eq!(made(&db, "acme").await, "schema");
    for unknown in
        ["finish_step('acme', 'other', 1)", "finish_step('acme', 'schema', null)", "finish_step('acme', 'rows', 0)"]
    {
        worker.expect_error("TN154", &format!("select tenant.{unknown}")).await;
    }
    worker.expect_error("TN002", "select tenant.finish_step('nobody', 'schema', 1)").await;
}

/// One whose transaction has ended the step and is not committed yet has it, however late it is.
#[tokio::test]
async fn while_it_commits() {
    let (db, late) = workshop("commits").await;
    let worker = db.admin().await;
    begin(&worker, "acme", r#"[{"step": "only"}]"#).await;
    let only = claim(&late).await.expect("it");
    late.run(&format!(
        "begin; select tenant.enter('acme'); insert into made (step) values ('only'); {}",
        only.call("finish_step", "")
    ))
    .await;
    // The lease is over for whoever looks at the step now, and who claims does not wait for its row.
    worker.run("set lock_timeout = '10 s'").await;
    assert_eq!(claim(&worker).await, None);
    late.run("commit").await;
    assert_eq!((&*status(&worker, "acme").await, &*made(&db, "acme").await), ("active", "only"));
}

/// The same answer again, by who does not know whether the first has arrived.
#[tokio::test]
async fn an_answer_is_given_again() {
    let (db, worker) = workshop("again").await;
    begin(&worker, "acme", r#"[{"step": "a"}, {"step": "b", "after": ["a"]}]"#).await;
    let a = claim(&worker).await.expect("a");
    let failed = a.call("fail_step", ", 'not yet', '0 s'");
    for _ in 0..2 {
        assert_eq!(worker.value(&failed).await.as_deref(), Some("waiting"));
    }
    let a = claim(&worker).await.expect("a again");
    worker.run(&a.call("extend_step", ", '5 min'")).await;
    for _ in 0..2 {
        let finish = a.call("finish_step", ", '1'");
        assert_eq!(worker.value(&finish).await.as_deref(), Some("provisioning"));
    }
    assert_eq!(steps(&worker, "acme").await, "a done 2, b waiting 0");
    let b = claim(&worker).await.expect("b");
    for _ in 0..2 {
        assert_eq!(worker.value(&b.call("finish_step", "")).await.as_deref(), Some("active"));
    }
    let lines = "select count(*) from tenant.journal where action in ('finish_step', 'activate')";
    assert_eq!(db.admin().await.value(lines).await.as_deref(), Some("3"));
}

/// It is tried again later and later, and not for ever; an operator lets it be tried again.
#[tokio::test]
async fn it_fails_for_ever() {
    let (db, worker) = workshop("failing").await;
    begin(&worker, "acme", r#"[{"step": "a", "max_attempts": 3}]"#).await;
    let due =
        "select status || ' ' || (not_before > now()) || ' ' || last_error from tenant.onboarding where step = 'a'";
    for attempt in 1..3 {
        let a = claim(&worker).await.expect("a");
        assert_eq!((&*a.step, a.attempt), ("a", attempt));
        assert_eq!(worker.value(&a.call("fail_step", ", 'out of order'")).await.as_deref(), Some("waiting"));
        assert_eq!(worker.value(due).await.as_deref(), Some("waiting true out of order"));
        let_time_pass(&db).await;
    }
    // The third time its worker is gone, and the fourth nobody is given it.
    assert_eq!(claim(&worker).await.expect("a").attempt, 3);
    let_time_pass(&db).await;
    assert_eq!(claim(&worker).await, None);
    assert_eq!(steps(&worker, "acme").await, "a failed 3");
    let refused = db.app().await.expect_error("TN130", "select tenant.enter('acme')").await;
    assert!(refused.detail().is_some_and(|detail| detail.contains("at step a (failed)")), "{refused:?}");
    worker.expect_error("TN029", "select tenant.retry_onboarding('acme', '')").await;
    worker.expect_error("TN002", "select tenant.retry_onboarding('globex', 'again')").await;
    assert_eq!(worker.value("select tenant.retry_onboarding('acme', 'mended')").await.as_deref(), Some("1"));
    assert_eq!(worker.value("select tenant.retry_onboarding('acme', 'mended')").await.as_deref(), Some("0"));
    let a = claim(&worker).await.expect("a");
    assert_eq!(worker.value(&a.call("fail_step", ", 'never', give_up => true")).await.as_deref(), Some("failed"));
    worker.run("select tenant.retry_onboarding('acme', 'mended')").await;
    assert_eq!(work(&worker).await, ["a"]);
    assert_eq!(status(&worker, "acme").await, "active");
}

/// A worker claims what it knows, and can be told from the others.
#[tokio::test]
async fn by_a_worker_that_does_not_know_it() {
    let (_db, worker) = workshop("unknown").await;
    begin(&worker, "acme", r#"[{"step": "old"}, {"step": "new"}]"#).await;
    let claimed = worker.value("select step from tenant.claim_step('w', steps => '{new}')").await;
    assert_eq!(claimed.as_deref(), Some("new"));
    assert!(worker.rows("select step from tenant.claim_step('w', steps => '{new, newer}')").await.is_empty());
    for malformed in ["''", "null", "repeat('w', 201)", "'w', '0 s'", "'w', '2 days'", "'w', null"] {
        worker.expect_error("TN153", &format!("select tenant.claim_step({malformed})")).await;
    }
    worker.expect_error("TN100", "select tenant.claim_step(E'w\\nforged')").await;
    worker.expect_error("TN153", "select tenant.extend_step('acme', 'new', 1, '-1 s')").await;
}

/// A step of one tenant is not ended in another's transaction.
#[tokio::test]
async fn in_another_tenant() {
    let (_db, worker) = workshop("elsewhere").await;
    for tenant in ["acme", "globex"] {
        begin(&worker, tenant, r#"[{"step": "a"}]"#).await;
    }
    let of_acme = claim(&worker).await.expect("one");
    let other = if of_acme.tenant == "acme" { "globex" } else { "acme" };
    worker.refused_inside("TN154", other, &of_acme.call("finish_step", "")).await;
    of_acme.perform(&worker).await;
}
