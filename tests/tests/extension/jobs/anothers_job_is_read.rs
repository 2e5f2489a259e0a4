//! Who works in a tenant, or as a worker, reads or changes another tenant's jobs.

use super::fixture::{claim, enqueue, workshop};

const READS: &[&str] = &[
    "table tenant.jobs",
    "table tenant.job_queues",
    "table tenant.job_counts",
    "table tenant.dead_jobs",
    "table tenant.job_weights",
];
const CHANGES: &[&str] = &[
    "update tenant.jobs set tenant_id = 'acme'",
    "insert into tenant.jobs (tenant_id, kind, lane, priority, max_attempts, run_at, payload) values ('globex', 'mail', 'default', 0, 1, now(), '{}')",
    "delete from tenant.jobs",
    "delete from tenant.my_jobs",
    "update tenant.job_queues set virtual_time = 0",
    "insert into tenant_internal.job_wakes values ('default', 'globex', now())",
];
const CALLS: &[&str] = &[
    "select tenant.claim_jobs('me')",
    "select tenant.take_job(1, 1)",
    "select tenant.finish_job(1, 1)",
    "select tenant.fail_job(1, 1, 'so there')",
    "select tenant.release_job(1, 1)",
    "select tenant.extend_jobs('{1}', '{1}')",
    "select tenant.retry_job(1, 'so there')",
    "select tenant.delete_job(1, 'so there')",
    "select tenant.prune_jobs()",
    "select tenant.reap_jobs()",
    "select tenant.define_job_kind('mail', priority => -1)",
    "select tenant.set_job_share('acme', 1000)",
    "select tenant.enqueue_system('mail', '{}', 'so there')",
    "select tenant.define_schedule('s', '* * * * *', 'each_tenant', 'mail')",
    "select tenant.fire_schedule('s', now(), now())",
    "select tenant.lead_schedules()",
    "select tenant_internal.add_jobs('globex', 'mail', '{}', null, null, null, null, null, null, null)",
    "select tenant_internal.claim_of_queue('default', 'globex', null, '{}', 1, 'me', now(), '1 min')",
];

/// The usual code: a table with a tenant column, and a worker that is told the tenant. What the job says is read, and
/// its tenant forged, by whoever may queue one.
#[tokio::test]
async fn on_stock_the_tenant_is_a_parameter() {
    let (db, _) = workshop("stock_read").await;
    let owner = db.owner().await;
    owner
        .run(&format!(
            "create table queue (id int, tenant_id text, payload jsonb); grant select, insert on queue to {}",
            db.roles.app
        ))
        .await;
    owner.run("insert into queue values (1, 'globex', '{\"iban\": \"CH93\"}')").await;
    let app = db.app().await;
    assert!(app.value("select payload from queue where tenant_id = 'globex'").await.is_some());
    app.run("insert into queue values (2, 'globex', '{\"pay\": \"me\"}')").await;
}

#[tokio::test]
async fn by_the_application() {
    let (db, _) = workshop("read").await;
    let app = db.app().await;
    enqueue(&app, "globex", "'mail', '{\"iban\": \"CH93\"}'").await;
    for session in [db.app().await, db.bystander().await] {
        for statement in READS.iter().chain(CHANGES).chain(CALLS) {
            session.expect_error("42501", statement).await;
        }
    }
    for statement in READS.iter().chain(CHANGES).chain(CALLS) {
        app.run("begin; select tenant.enter('acme')").await;
        let error = app.batch_execute(statement).await.expect_err(statement);
        let code = error.code().expect("the server's").code();
        assert!(code == "42501" || code.starts_with("TN"), "{statement}: {code}");
        app.run("rollback").await;
    }
    app.run("begin; select tenant.enter('acme')").await;
    assert_eq!(app.value("select count(*) from tenant.my_jobs").await.as_deref(), Some("0"));
    assert_eq!(app.value("select tenant.cancel_job(1)").await.as_deref(), Some("f"));
    app.run("rollback; begin; select tenant.enter('globex')").await;
    assert_eq!(app.value("select payload ->> 'iban' from tenant.my_jobs").await.as_deref(), Some("CH93"));
    assert_eq!(app.value("select tenant.cancel_job(1)").await.as_deref(), Some("t"));
    app.run("commit").await;
    // Without a tenant there is nothing to queue for, and nothing to see.
    app.expect_error("TN001", "select tenant.enqueue('mail')").await;
    app.expect_error("TN001", "select tenant.enqueue('mail', key => 'k')").await;
    assert_eq!(app.value("select count(*) from tenant.my_jobs").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn by_a_worker() {
    let (db, worker) = workshop("worker_reads").await;
    let app = db.app().await;
    enqueue(&app, "globex", "'mail', '{\"iban\": \"CH93\"}'").await;
    let theirs = claim(&worker, "").await.remove(0);
    assert_eq!(theirs.tenant.as_deref(), Some("globex"));
    // Outside of the tenant, and inside of another one, it is no job to be read or finished.
    for enter in ["select 1", "select tenant.enter('acme')"] {
        for (function, rest) in [("take_job", ""), ("finish_job", "")] {
            worker.run(&format!("begin; {enter}")).await;
            worker.expect_error("TN160", &theirs.call(function, rest)).await;
            worker.run("rollback").await;
        }
    }
    for (function, rest) in [("fail_job", ", 'so there'"), ("release_job", "")] {
        worker.run("begin; select tenant.enter('acme')").await;
        let refused = worker.expect_error("TN160", &theirs.call(function, rest)).await;
        assert!(refused.detail().is_some_and(|detail| detail.contains("no such job here")), "{refused:?}");
        worker.run("rollback").await;
    }
    // Inside a tenant no other is told of.
    worker.run("begin; select tenant.enter('acme')").await;
    assert_eq!(worker.value("select count(*) from tenant.job_counts").await.as_deref(), Some("0"));
    worker.expect_error("TN162", "select tenant.claim_jobs('me')").await;
    worker.run("rollback").await;
    worker.expect_error("42501", "table tenant.jobs").await;
    theirs.perform(&worker).await;
}

/// What an error says is the tenant's, like what the job says.
#[tokio::test]
async fn by_its_error() {
    let (db, worker) = workshop("error").await;
    let app = db.app().await;
    let id = enqueue(&app, "globex", "'mail', max_attempts => 1").await;
    let theirs = claim(&worker, "").await.remove(0);
    worker.run(&theirs.call("fail_job", ", 'IBAN CH93 is not known'")).await;
    let admin = db.admin().await;
    let told = admin.value("select string_agg(d::text, '') from tenant.dead_jobs d").await.expect("one is dead");
    assert!(!told.contains("CH93"), "{told}");
    app.run("begin; select tenant.enter('globex')").await;
    let error = app.value(&format!("select last_error from tenant.my_jobs where id = {id}")).await;
    assert_eq!(error.as_deref(), Some("IBAN CH93 is not known"));
    app.run("rollback").await;
    // A login that is bound to a tenant sees its own.
    let bound = format!("regress_{}_bound", db.name);
    db.superuser()
        .await
        .run(&format!(
            "create role {bound} login in role tenant_user, tenant_worker; select tenant.bind_role('{bound}', 'acme')"
        ))
        .await;
    let bound = db.connect(&bound).await;
    assert_eq!(bound.value("select count(*) from tenant.my_jobs").await.as_deref(), Some("0"));
    bound.expect_error("TN162", "select tenant.claim_jobs('me')").await;
    bound.run("select tenant.enqueue('mail')").await;
    assert_eq!(bound.value("select count(*) from tenant.my_jobs").await.as_deref(), Some("1"));
}
