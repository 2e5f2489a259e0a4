//! A job is entered by what its claim has told, in one statement, and what refuses an entry refuses this one; a job of
//! the system is read outside of that context.

use super::fixture::{claim, enqueue, state, worker_of, workshop};

#[tokio::test]
async fn of_a_tenant() {
    let (db, worker) = workshop("enter").await;
    let (app, admin) = (db.app().await, db.admin().await);
    let id = enqueue(&app, "acme", "'mail', '{\"order\": 7}', key => 'k'").await;
    let one = claim(&worker, "").await.remove(0);
    let enter = format!(
        "select tenant.current_id() || ' ' || (payload ->> 'order') || ' ' || key from tenant.enter_job({id}, 1)"
    );
    worker.run("begin").await;
    assert_eq!(worker.value("select tenant_id from tenant.job_owner(1, 1)").await.as_deref(), Some("acme"));
    worker.run(&one.call("enter_job", "")).await;
    worker.run(&format!("insert into done (job) values ({id}); {}; rollback", one.call("finish_job", ""))).await;
    // What is entered already is entered again, if it is the same.
    worker.run("begin; select tenant.enter('globex')").await;
    worker.expect_error("TN160", &enter).await;
    worker.run("rollback").await;
    admin.run("select tenant.suspend('acme', 'unpaid')").await;
    worker.run("begin").await;
    worker.expect_error("TN003", &enter).await;
    worker.run("rollback").await;
    admin.run("select tenant.resume('acme', 'paid')").await;
    // A login that must bring a token enters with it, and takes the job then.
    db.superuser().await.run(&format!("alter role {} set pg_tenant.require_signed = on", worker_of(&db))).await;
    let signed = db.connect(&worker_of(&db)).await;
    signed.run("begin").await;
    signed.expect_error("TN090", &enter).await;
    signed.run("rollback").await;
    app.expect_error("42501", &enter).await;
    app.expect_error("42501", "select * from tenant.job_owner(1, 1)").await;
    worker.run("begin").await;
    worker.run(&one.call("enter_job", "")).await;
    worker.run(&format!("insert into done (job) values ({id}); {}; commit", one.call("finish_job", ""))).await;
    assert_eq!(state(&db, id).await, None);
    worker.expect_error("TN160", &one.call("enter_job", "")).await;
}

/// What a transaction in the system context queues is the system's, for the reason of the context.
#[tokio::test]
async fn of_the_system() {
    let (db, worker) = workshop("enter_system").await;
    let operator = format!("regress_{}_op", db.name);
    db.superuser().await.run(&format!("create role {operator} login; grant tenant_system to {operator}")).await;
    let operator = db.connect(&operator).await;
    operator.run("begin; select tenant.enter_system('monthly report', write => true)").await;
    operator.run("select tenant.enqueue('report', '{\"month\": 11}'), tenant.enqueue('sweep', key => 'k')").await;
    operator.run("select tenant.enqueue_many('report', array['{}']::jsonb[]); commit").await;
    operator.run("begin; select tenant.enter_system('monthly report')").await;
    operator.expect_error("TN001", "select tenant.enqueue('report')").await;
    operator.run("rollback").await;
    let told = "select string_agg(concat_ws(' ', tenant_id, kind, reason), ', ' order by id) from tenant.claim_jobs('w', at_most => 9)";
    assert_eq!(
        worker.value(told).await.as_deref(),
        Some("report monthly report, sweep monthly report, report monthly report")
    );
    let enter = "select payload ->> 'month' from tenant.enter_job(1, 1)";
    // Who may not enter that context reads nothing of it.
    worker.run("begin").await;
    worker.expect_error("TN013", enter).await;
    worker.run("rollback").await;
    worker.expect_error("TN160", "select tenant.take_job(1, 1)").await;
    worker.expect_error("TN160", "select tenant.finish_job(1, 1)").await;
    db.superuser().await.run(&format!("grant tenant_system to {}", worker_of(&db))).await;
    let worker = db.connect(&worker_of(&db)).await;
    worker.expect_error("TN160", "select tenant.take_job(1, 1)").await;
    worker.run("begin").await;
    assert_eq!(worker.value(enter).await.as_deref(), Some("11"));
    worker.run("select tenant.finish_job(1, 1); commit").await;
    assert_eq!(state(&db, 1).await, None);
    let line = "select reason from tenant.journal where action = 'enter_system' order by id desc limit 1";
    assert_eq!(db.admin().await.value(line).await.as_deref(), Some("monthly report"));
}

/// By a right to read everything, with no tenant entered.
#[tokio::test]
async fn by_a_right_on_everything() {
    let (db, _) = workshop("right").await;
    let app = db.app().await;
    enqueue(&app, "acme", "'mail', '{\"iban\": \"CH93\"}'").await;
    db.owner().await.run("create table queue (payload text); insert into queue values ('CH93')").await;
    db.superuser().await.run(&format!("grant pg_read_all_data, pg_write_all_data to {}", db.roles.app)).await;
    let app = db.app().await;
    assert_eq!(app.value("select payload from queue").await.as_deref(), Some("CH93"), "the hole");
    assert_eq!(app.value("select count(*) from tenant.jobs").await.as_deref(), Some("0"));
    app.run("update tenant.jobs set tenant_id = 'globex'; delete from tenant.jobs").await;
    app.expect_error(
        "42501",
        "insert into tenant.jobs (tenant_id, kind, lane, priority, max_attempts, run_at, payload) values ('globex', 'mail', 'default', 0, 1, now(), '{}')",
    )
    .await;
    for sql in ["table tenant.jobs", "delete from tenant.jobs"] {
        app.refused_inside("TN070", "globex", sql).await;
    }
    assert_eq!(db.backup().await.value("select count(*) from tenant.jobs").await.as_deref(), Some("1"));
}
