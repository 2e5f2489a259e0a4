//! A job is lost, or comes although its transaction did not.

use super::fixture::{claim, enqueue, let_time_pass, state, workshop};

#[tokio::test]
async fn with_its_transaction() {
    let (db, worker) = workshop("rollback").await;
    let app = db.app().await;
    app.run("begin; select tenant.enter('acme'); select tenant.enqueue('mail'); rollback").await;
    assert_eq!(claim(&worker, "").await, []);
    // One that was not committed when somebody looked is found, even if the queue was thought to be empty meanwhile.
    enqueue(&app, "acme", "'mail'").await;
    let slow = db.app().await;
    slow.run("begin isolation level repeatable read; select tenant.enter('acme'); select tenant.enqueue('mail')").await;
    assert_eq!(claim(&worker, "").await.len(), 1);
    db.superuser().await.run("update tenant.job_queues set next_at = 'infinity'").await;
    assert_eq!(claim(&worker, "").await, []);
    slow.run("commit").await;
    db.superuser()
        .await
        .run("delete from tenant_internal.job_wakes; update tenant_internal.job_look set looked_at = '-infinity'")
        .await;
    assert_eq!(claim(&worker, "").await.len(), 1, "a look at all jobs finds it");
}

/// However many queues there are, a claim looks at a thousand of them, and the next one goes on from there.
#[tokio::test]
async fn among_many_queues() {
    let (db, worker) = workshop("many_queues").await;
    let app = db.app().await;
    app.inside("acme", "select tenant.enqueue('mail', lane => 'lane-' || n) from generate_series(1, 2500) n").await;
    enqueue(&app, "globex", "'mail', lane => 'zoo'").await;
    let superuser = db.superuser().await;
    superuser.run("delete from tenant_internal.job_wakes").await;
    let woken = "select count(*) from tenant.job_queues";
    for expected in [1000, 2000, 2501] {
        claim(&worker, ", lanes => '{none}'").await;
        assert_eq!(superuser.value(woken).await, Some(expected.to_string()));
    }
    assert_eq!(claim(&worker, ", lanes => '{zoo}'").await.len(), 1);
    let far = "select lane || tenant_id || (looked_at > '-infinity') from tenant_internal.job_look";
    assert_eq!(superuser.value(far).await.as_deref(), Some("true"));
}

/// In whichever transaction it was queued, whoever claims meanwhile: nobody who queues waits.
#[tokio::test]
async fn behind_a_lock() {
    let (db, worker) = workshop("no_wait").await;
    let (one, other) = (db.app().await, db.app().await);
    for (session, tenant) in [(&one, "acme"), (&other, "globex")] {
        session.run(&format!("set lock_timeout = '1s'; begin; select tenant.enter('{tenant}')")).await;
        session.run("select tenant.enqueue('mail')").await;
    }
    let third = db.app().await;
    third.run("set lock_timeout = '1s'").await;
    enqueue(&third, "acme", "'mail'").await;
    worker.run("begin").await;
    assert_eq!(claim(&worker, "").await.len(), 1);
    enqueue(&third, "acme", "'mail'").await;
    worker.run("commit").await;
    for session in [one, other] {
        session.run("commit").await;
    }
    assert_eq!(claim(&worker, ", at_most => 10").await.len(), 3);
}

#[tokio::test]
async fn by_its_key() {
    let (db, worker) = workshop("key").await;
    let app = db.app().await;
    let first = enqueue(&app, "acme", "'mail', key => 'invoice-7'").await;
    assert_eq!(enqueue(&app, "acme", "'mail', key => 'invoice-7'").await, first);
    assert_ne!(enqueue(&app, "globex", "'mail', key => 'invoice-7'").await, first, "another tenant's key is another");
    assert_ne!(enqueue(&app, "acme", "'sms', key => 'invoice-7'").await, first, "so is another kind's");
    app.run("begin; select tenant.enter('acme')").await;
    let twice = "select count(distinct id) from tenant.enqueue_many('mail', array['{}', '{}', '{}']::jsonb[], array['a', 'a', null]) id";
    assert_eq!(app.value(twice).await.as_deref(), Some("2"));
    app.run("commit").await;
    let claims = claim(&worker, ", at_most => 10").await;
    let one = claims.iter().find(|claim| claim.id == first).expect("it is claimed");
    assert_eq!(enqueue(&app, "acme", "'mail', key => 'invoice-7'").await, first, "while it runs");
    one.perform(&worker).await;
    assert_ne!(enqueue(&app, "acme", "'mail', key => 'invoice-7'").await, first, "after it was done");
}

#[tokio::test]
async fn before_its_time() {
    let (db, worker) = workshop("later").await;
    let app = db.app().await;
    let id = enqueue(&app, "acme", "'mail', run_at => now() + interval '1 h'").await;
    assert_eq!(claim(&worker, "").await, []);
    assert_eq!(state(&db, id).await.as_deref(), Some("scheduled"));
    let_time_pass(&db).await;
    assert_eq!(claim(&worker, "").await.len(), 1);
}

/// Jobs of a tenant that nobody enters wait; those of one that is gone go.
#[tokio::test]
async fn with_its_tenant() {
    let (db, worker) = workshop("states").await;
    let (app, admin) = (db.app().await, db.admin().await);
    enqueue(&app, "acme", "'mail'").await;
    for (state, back) in [("suspend", "resume"), ("set_read_only", "resume")] {
        admin.run(&format!("select tenant.{state}('acme', 'unpaid')")).await;
        assert_eq!(claim(&worker, "").await, [], "{state}");
        admin.run(&format!("select tenant.{back}('acme', 'paid')")).await;
        let claims = claim(&worker, "").await;
        assert_eq!(claims.len(), 1, "{back}");
        worker.run(&claims[0].call("release_job", "")).await;
    }
    // A worker that has claimed it meanwhile says so from outside.
    let held = claim(&worker, "").await.remove(0);
    admin.run("select tenant.suspend('acme', 'unpaid')").await;
    worker.expect_error("TN003", "select tenant.enter('acme')").await;
    assert_eq!(worker.value(&held.call("fail_job", ", 'suspended'")).await.as_deref(), Some("failed"));
    admin.run("select tenant.offboard('acme', 'gone', now()); select tenant.mark_purged('acme', 'gone')").await;
    assert_eq!(state(&db, held.id).await, None);
    let left = "select count(*) from tenant.job_queues where tenant_id = 'acme'";
    assert_eq!(admin.value(left).await.as_deref(), Some("0"));
}

/// Jobs of the system carry the reason for which its context is entered.
#[tokio::test]
async fn of_the_system() {
    let (db, worker) = workshop("system").await;
    let admin = db.admin().await;
    admin.expect_error("TN029", "select tenant.enqueue_system('sweep', '{}', '')").await;
    admin.run("select tenant.enqueue_system('sweep', '{\"days\": 3}', 'ticket 7')").await;
    let sql = "select tenant_id is null, reason, id, attempt from tenant.claim_jobs('w')";
    let row = worker.query_one(sql, &[]).await.expect("claimed");
    assert_eq!((row.get::<_, bool>(0), row.get::<_, &str>(1)), (true, "ticket 7"));
    let (id, attempt): (i64, i32) = (row.get(2), row.get(3));
    let inside = format!("select * from tenant.take_job({id}, {attempt})");
    worker.run("begin; select tenant.enter('acme')").await;
    worker.expect_error("TN160", &inside).await;
    worker.run("rollback").await;
    let login = super::fixture::worker_of(&db);
    db.superuser().await.run(&format!("grant tenant_system to {login}")).await;
    let worker = db.connect(&login).await;
    worker.run("begin; select tenant.enter_system('ticket 7', true)").await;
    assert_eq!(worker.value(&inside).await.as_deref(), Some("{\"days\": 3}"));
    worker.run(&format!("select tenant.finish_job({id}, {attempt}); commit")).await;
    assert_eq!(state(&db, id).await, None);
}

/// What its kind keeps can be looked at for as long, and no longer.
#[tokio::test]
async fn after_it_was_done() {
    let (db, worker) = workshop("kept").await;
    let (app, admin) = (db.app().await, db.admin().await);
    admin.run("select tenant.define_job_kind('report', keep => '1 day')").await;
    let id = enqueue(&app, "acme", "'report'").await;
    let one = claim(&worker, "").await.remove(0);
    worker.inside("acme", &one.call("finish_job", ", '{\"pages\": 3}'")).await;
    app.run("begin; select tenant.enter('acme')").await;
    let result = format!("select state || ' ' || (result ->> 'pages') from tenant.my_jobs where id = {id}");
    assert_eq!(app.value(&result).await.as_deref(), Some("done 3"));
    app.run("rollback").await;
    assert_eq!(worker.value("select tenant.prune_jobs()").await.as_deref(), Some("0"));
    db.superuser().await.run("update tenant.jobs set finished_at = now() - interval '2 days'").await;
    assert_eq!(worker.value("select tenant.prune_jobs()").await.as_deref(), Some("1"));
}
