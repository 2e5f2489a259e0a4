//! Steps that cannot be done are taken, and the tenant is never set up.

use super::fixture::{begin, status, steps, work, workshop};

#[tokio::test]
async fn such_that_are_never_done() {
    let (_db, worker) = workshop("malformed").await;
    for malformed in [
        "{}",
        "[]",
        "1",
        r#"["a"]"#,
        r#"[{"after": []}]"#,
        r#"[{"step": ""}]"#,
        r#"[{"step": "A"}]"#,
        r#"[{"step": "a/b"}]"#,
        r#"[{"step": 7}]"#,
        r#"[{"step": "a"}, {"step": "a"}]"#,
        r#"[{"step": "a", "after": "b"}]"#,
        r#"[{"step": "a", "after": [1]}]"#,
        r#"[{"step": "a", "after": ["b"]}]"#,
        r#"[{"step": "a", "after": ["a"]}]"#,
        r#"[{"step": "x"}, {"step": "a", "after": ["c"]}, {"step": "b", "after": ["a"]}, {"step": "c", "after": ["b", "x"]}]"#,
        r#"[{"step": "a", "outside": "yes"}]"#,
        r#"[{"step": "a", "undo": null}]"#,
        r#"[{"step": "a", "max_attempts": 0}]"#,
        r#"[{"step": "a", "max_attempts": 1.5}]"#,
        r#"[{"step": "a", "max_attempts": 99999}]"#,
        r#"[{"step": "a", "depends": ["b"]}]"#,
        r#"[{"step": "a", "at_claim": true}, {"step": "b", "after": ["a"]}]"#,
    ] {
        let refused =
            worker.expect_error("TN153", &format!("select tenant.begin_onboarding('acme', '{malformed}')")).await;
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{malformed}: {refused:?}");
    }
    worker.expect_error("TN153", "select tenant.begin_onboarding('acme', null)").await;
    let many = "(select jsonb_agg(jsonb_build_object('step', 's' || n)) from generate_series(1, 101) n)";
    worker.expect_error("TN153", &format!("select tenant.begin_onboarding('acme', {many})")).await;
    // Nothing is left of what was refused.
    assert!(worker.rows("select 1 from tenant.tenants union all select 1 from tenant.onboardings").await.is_empty());
}

#[tokio::test]
async fn a_tenant_that_cannot_be() {
    let (_db, worker) = workshop("unbegun").await;
    let begun = |rest: &str| format!("select tenant.begin_onboarding({rest})");
    let step = r#"'[{"step": "a"}]'"#;
    begin(&worker, "acme", r#"[{"step": "a"}]"#).await;
    worker.expect_error("TN050", &begun(&format!("'acme', {step}"))).await;
    worker.expect_error("TN004", &begun(&format!("'a b', {step}"))).await;
    worker.expect_error("TN053", &begun(&format!("'globex', {step}, slug => 'A'"))).await;
    worker.expect_error("TN053", &begun(&format!("'globex', {step}, settings => '[]'"))).await;
    worker.expect_error("TN153", &begun(&format!("'globex', {step}, input => '[]'"))).await;
    worker.expect_error("TN153", &begun(&format!("'globex', {step}, pool => ''"))).await;
    let id = "dddddddd-0000-4000-8000-00000000000d";
    assert_eq!(
        worker.value(&begun(&format!("'{id}'::uuid, {step}, slug => 'd', name => 'D'"))).await.as_deref(),
        Some(id)
    );
    assert_eq!(worker.value(&begun(&format!("7, {step}"))).await.as_deref(), Some("7"));
    // By the id's own type, too.
    let claimed = worker
        .rows(
            "select one.step from tenant.claim_step('w') one, tenant.claim_step('w') two, tenant.claim_step('w') three",
        )
        .await;
    assert_eq!(claimed.len(), 1);
    for call in ["extend_step(7, 'a', 1)", "fail_step(7, 'a', 1, 'once', '0 s')", "retry_onboarding(7, 'again')"] {
        worker.run(&format!("select tenant.{call}")).await;
    }
    worker
        .run(&format!("select tenant.extend_step('{id}'::uuid, 'a', 1), tenant.finish_step('{id}'::uuid, 'a', 1)"))
        .await;
    worker.run("select tenant.finish_step('acme', 'a', 1)").await;
    assert_eq!(work(&worker).await, ["a"]);
    assert_eq!((&*status(&worker, "7").await, &*steps(&worker, "7").await), ("active", "a done 2"));
}
