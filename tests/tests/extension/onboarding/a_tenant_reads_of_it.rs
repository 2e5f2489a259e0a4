//! Who works in tenants reads or changes how tenants are set up.

use super::fixture::{STEPS, begin, claim, status, workshop};

const READS: &[&str] = &[
    "table tenant.onboarding",
    "table tenant.onboardings",
    "table tenant.onboarding_state",
    "table tenant.ready_tenants",
    "table tenant.ready_pools",
];
const CHANGES: &[&str] = &[
    "update tenant.onboarding set status = 'done'",
    "insert into tenant.onboarding (tenant_id, step, nth, max_attempts) values ('acme', 'forged', 9, 1)",
    "delete from tenant.onboarding",
    "update tenant.onboardings set abandoned_at = now()",
    "update tenant.ready_pools set target = 0",
];
const CALLS: &[&str] = &[
    "select tenant.begin_onboarding('globex', '[{\"step\": \"a\"}]')",
    "select tenant.claim_step('me')",
    "select tenant.extend_step('acme', 'schema', 1)",
    "select tenant.finish_step('acme', 'schema', 1)",
    "select tenant.finish_step_in_system('acme', 'schema', 1)",
    "select tenant.fail_step('acme', 'schema', 1, 'so there')",
    "select tenant.abandon_onboarding('acme', 'so there')",
    "select tenant.retry_onboarding('acme', 'so there')",
    "select tenant.set_ready_pool('default', 1, '[{\"step\": \"a\"}]')",
    "select tenant.top_up_ready_tenants()",
    "select tenant.claim_ready_tenant('mine')",
    "select tenant_internal.advance_onboarding('acme')",
];

#[tokio::test]
async fn the_application() {
    let (db, worker) = workshop("reads_of").await;
    begin(&worker, "acme", STEPS).await;
    worker.run("select tenant.create('globex')").await;
    claim(&worker).await.expect("schema");
    for session in [db.app().await, db.bystander().await] {
        for sql in READS.iter().chain(CHANGES).chain(CALLS) {
            session.expect_error("42501", sql).await;
        }
    }
    let app = db.app().await;
    for sql in READS.iter().chain(CHANGES).chain(CALLS) {
        app.refused_inside("42501", "globex", sql).await;
    }
}

/// An administrator reads it, changes it by the functions alone, and inside a tenant reads nothing of it.
#[tokio::test]
async fn an_administrator() {
    let (db, worker) = workshop("reads_of_admin").await;
    begin(&worker, "acme", STEPS).await;
    for sql in READS {
        worker.run(sql).await;
        worker.refused_inside("TN070", "acme", sql).await;
    }
    for sql in CHANGES {
        worker.expect_error("42501", sql).await;
    }
    // Nor by a right on everything, in whichever tenant.
    db.superuser().await.run(&format!("grant pg_read_all_data, pg_write_all_data to {}", db.roles.app)).await;
    worker.run("select tenant.create('globex')").await;
    let app = db.app().await;
    for sql in READS.iter().chain(CHANGES) {
        app.refused_inside("TN070", "globex", sql).await;
    }
}

/// The system context ends a step that works across tenants, and does nothing else of it.
#[tokio::test]
async fn the_system_context() {
    let (db, worker) = workshop("reads_of_system").await;
    let operator = format!("regress_{}_op", db.name);
    db.superuser().await.run(&format!("create role {operator} login; grant tenant_admin, tenant_system to {operator}; grant insert on made to tenant_system")).await;
    begin(&worker, "acme", r#"[{"step": "report"}]"#).await;
    let (name, operator) = (operator.clone(), db.connect(&operator).await);
    let report = claim(&operator).await.expect("it");
    let enter = "begin; select tenant.enter_system('onboarding', write => true)";
    for sql in [
        "table tenant.onboarding",
        "select tenant.claim_step('me')",
        "select tenant.abandon_onboarding('acme', 'x')",
        "select tenant.finish_step('acme', 'report', 1)",
    ] {
        operator.expect_error("42501", &format!("{enter}; {sql}")).await;
        operator.run("rollback").await;
    }
    operator
        .run(&format!(
            "{enter}; insert into made (tenant_id, step) values ('acme', 'report'); {}; commit",
            report.call("finish_step_in_system", "")
        ))
        .await;
    assert_eq!(status(&worker, "acme").await, "active");
    // Who may look across tenants may not say that one is set up.
    begin(&worker, "globex", r#"[{"step": "report"}]"#).await;
    claim(&worker).await.expect("it");
    db.superuser().await.run(&format!("revoke tenant_admin from {name}")).await;
    for id in ["'globex'", "7", "gen_random_uuid()"] {
        let sql = format!("{enter}; select tenant.finish_step_in_system({id}, 'report', 1)");
        let refused = operator.expect_error("42501", &sql).await;
        assert!(refused.hint().is_some_and(|hint| hint.starts_with("grant tenant_admin")), "{refused:?}");
        operator.run("rollback").await;
    }
}
