//! An onboarding is given up, and something of it stays.

use super::fixture::{STEPS, begin, claim, let_time_pass, made, status, steps, work, workshop};

#[tokio::test]
async fn of_steps_that_were_done() {
    let (db, worker) = workshop("undone").await;
    begin(&worker, "acme", r#"[{"step": "a"}, {"step": "b", "after": ["a"]}, {"step": "c", "after": ["b"]}, {"step": "d", "after": ["c"]}]"#).await;
    for _ in 0..3 {
        claim(&worker).await.expect("a step").perform(&worker).await;
    }
    let last = claim(&worker).await.expect("d");
    assert_eq!(made(&db, "acme").await, "a b c");
    worker.expect_error("TN029", "select tenant.abandon_onboarding('acme', ' ')").await;
    for _ in 0..2 {
        let state = worker.value("select tenant.abandon_onboarding('acme', 'they did not pay')").await;
        assert_eq!(state.as_deref(), Some("provisioning"));
    }
    // What runs does not end any more: its transaction is rolled back.
    worker
        .refused_inside(
            "TN154",
            "acme",
            &format!("insert into made (step) values ('d'); {}", last.call("finish_step", "")),
        )
        .await;
    let refused = db.app().await.expect_error("TN130", "select tenant.enter('acme')").await;
    assert!(refused.detail().is_some_and(|detail| detail.contains("at step undo c")), "{refused:?}");
    worker.expect_error("TN133", "select tenant.mark_purged('acme', 'at once')").await;
    assert_eq!(work(&worker).await, ["c!", "b!", "a!"], "the last ones first");
    assert_eq!((&*status(&worker, "acme").await, &*made(&db, "acme").await), ("purged", ""));
    let line = "select reason from tenant.journal where object = 'acme' and action = 'mark_purged'";
    assert_eq!(worker.value(line).await.as_deref(), Some("they did not pay"));
    let left = "select count(result) + count(last_error) from tenant.onboarding";
    assert_eq!(worker.value(left).await.as_deref(), Some("0"));
    assert_eq!(worker.value("select tenant.abandon_onboarding('acme', 'again')").await.as_deref(), Some("purged"));
}

/// Where nothing was done it is purged at once; where all was done it is a tenant, and leaves otherwise.
#[tokio::test]
async fn of_one_that_has_not_begun_or_is_over() {
    let (_db, worker) = workshop("nothing").await;
    for (tenant, by) in [
        ("acme", "'acme'"),
        ("7", "7"),
        ("dddddddd-0000-4000-8000-00000000000d", "'dddddddd-0000-4000-8000-00000000000d'::uuid"),
    ] {
        begin(&worker, tenant, STEPS).await;
        let state = worker.value(&format!("select tenant.abandon_onboarding({by}, 'a mistake')")).await;
        assert_eq!((state.as_deref(), &*status(&worker, tenant).await), (Some("purged"), "purged"));
    }
    begin(&worker, "globex", STEPS).await;
    work(&worker).await;
    worker.expect_error("TN133", "select tenant.abandon_onboarding('globex', 'late')").await;
    worker.run("select tenant.create('hooli')").await;
    worker.expect_error("TN153", "select tenant.abandon_onboarding('hooli', 'no steps')").await;
}

/// One outside may have happened although nobody has said so: it is undone once it was tried, when it is over.
#[tokio::test]
async fn of_a_step_outside() {
    for answer in ["finish_step", "fail_step", "none"] {
        let (db, worker) = workshop("outside").await;
        begin(&worker, "acme", r#"[{"step": "bill", "outside": true, "max_attempts": 1}, {"step": "mail", "outside": true, "undo": false}, {"step": "never", "outside": true, "after": ["mail"]}]"#).await;
        let (bill, mail) = (claim(&worker).await.expect("bill"), claim(&worker).await.expect("mail"));
        worker.run("select tenant.abandon_onboarding('acme', 'they did not pay')").await;
        assert_eq!(steps(&worker, "acme").await, "bill running 1, mail undone 2, never undone 0");
        assert_eq!(claim(&worker).await, None, "nobody undoes what runs");
        worker.run(&bill.call("extend_step", "")).await;
        worker.expect_error("TN154", &mail.call("finish_step", "")).await;
        match answer {
            "finish_step" => worker.run(&bill.call(answer, r#", '{"account": 7}'"#)).await,
            "fail_step" => worker.run(&bill.call(answer, ", 'no answer'")).await,
            _ => let_time_pass(&db).await,
        }
        let undo = claim(&worker).await.expect("to be undone");
        assert_eq!((&*undo.name(), undo.attempt, &*undo.key), ("bill!", 2, "acme/bill/undo"));
        let result = if answer == "finish_step" { r#"{"bill": {"account": 7}}"# } else { "{}" };
        assert_eq!(undo.results, result, "{answer}");
        worker.expect_error("TN154", &bill.call("extend_step", "")).await;
        // Undoing fails as doing does, and is tried again.
        assert_eq!(worker.value(&undo.call("fail_step", ", 'unreachable', '0 s'")).await.as_deref(), Some("failed"));
        worker.run("select tenant.retry_onboarding('acme', 'reachable again')").await;
        assert_eq!(work(&worker).await, ["bill!"]);
        assert_eq!(status(&worker, "acme").await, "purged");
    }
}
