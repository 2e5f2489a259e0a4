//! A refusal leaves no trace, since the transaction that was refused is undone; or it leaves one for each attempt.

use pg_tenant_tests::shop::{A, shop};

/// The lines on refusals of this login.
fn lines(role: &str) -> String {
    format!(
        "select string_agg(concat_ws(' ', object, left(tenant_id, 1), detail ->> 'condition', detail ->> 'refused'), ', ' order by object)
            from tenant.journal where action = 'refused' and role = '{role}' and session_role = '{role}'"
    )
}

#[tokio::test]
async fn with_its_transaction() {
    let db = shop("refusals").await;
    let (app, admin, boss) = (db.app().await, db.admin().await, db.superuser().await);
    let count = "select coalesce(sum(refused) filter (where sqlstate = 'TN031' and condition = 'truncate_refused'), 0) from tenant.refusals";
    let before: u64 = admin.value(count).await.and_then(|n| n.parse().ok()).expect("a count");
    boss.run(&format!("grant truncate on orders to {}", db.roles.app)).await;
    for _ in 0..3 {
        app.refused_inside("TN031", A, "truncate orders").await;
    }
    // Caught by the program, it was refused all the same.
    app.inside(A, "do $$ begin truncate orders; exception when sqlstate 'TN031' then null; end $$").await;
    app.expect_error("TN001", "select * from orders").await;
    let after: u64 = admin.value(count).await.and_then(|n| n.parse().ok()).expect("a count");
    assert!(after >= before + 4, "{before} and {after}");

    // A line of each kind, with the number, which its tenant reads as well.
    assert_eq!(admin.value(&lines(&db.roles.app)).await, None, "nobody has asked");
    admin.run("select tenant.journal_refusals()").await;
    let told = admin.value(&lines(&db.roles.app)).await;
    assert_eq!(told.as_deref(), Some("TN001 no_tenant 1, TN031 a truncate_refused 4"));
    assert_eq!(
        app.inside_value(A, "select object from tenant.audit_log where action = 'refused'").await.as_deref(),
        Some("TN031")
    );
    // At most one a minute of a kind, whoever asks and however many there are.
    for _ in 0..50 {
        app.expect_error("TN001", "select * from orders").await;
    }
    admin.run("select tenant.journal_refusals(), tenant.seal_journal(); select tenant.maintain_journal()").await;
    assert_eq!(admin.value(&lines(&db.roles.app)).await, told);
    // Where it cannot be written it is not taken.
    app.expect_error("TN005", &format!("begin; select tenant.enter('{A}'); select tenant.enter('b')")).await;
    app.run("rollback").await;
    admin.run("begin read only; select tenant.journal_refusals(); commit; select tenant.seal_journal()").await;
    assert!(admin.value(&lines(&db.roles.app)).await.expect("lines").contains("TN005 a already_entered 1"));
    for statement in
        ["select * from tenant.refusals", "select tenant.journal_refusals()", "select tenant_internal.take_refusals()"]
    {
        app.expect_error("42501", statement).await;
    }
}
