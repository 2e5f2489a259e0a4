//! A job is queued, and a worker that waits for one is not told; or is told what a job says.

use pg_tenant_tests::Session;

use super::fixture::{claim, enqueue, workshop};

const TWO: &str = "select count(*) from tenant.enqueue_many('bulk', array['{}', '{}']::jsonb[])";

/// How often it was woken, and that nothing was said.
async fn woken(listener: &Session) -> usize {
    // What was sent before is there before the answer.
    listener.run("select 1").await;
    let heard = listener.notifications();
    assert!(heard.iter().all(|it| (it.channel(), it.payload()) == ("pg_tenant_jobs", "")), "{heard:?}");
    heard.len()
}

#[tokio::test]
async fn that_waits_for_a_job() {
    let (db, worker) = workshop("woken").await;
    let (app, listener) = (db.app().await, db.connect(&super::fixture::worker_of(&db)).await);
    listener.run("listen pg_tenant_jobs").await;
    // Once for a transaction, and not before its commit; not at all where it was rolled back.
    app.run(&format!("begin; select tenant.enter('acme'); {TWO}; select tenant.enqueue('mail')")).await;
    assert_eq!(woken(&listener).await, 0);
    app.run("commit").await;
    assert_eq!(woken(&listener).await, 1);
    app.run("begin; select tenant.enter('acme'); select tenant.enqueue('mail'); rollback").await;
    assert_eq!(woken(&listener).await, 0);
    // While there are jobs left, those who claim come again by themselves.
    assert_eq!(claim(&worker, ", at_most => 2").await.len(), 2);
    app.inside("acme", TWO).await;
    assert_eq!(woken(&listener).await, 0);
    // Whoever has taken the last one may be at work for long: others are woken.
    assert_eq!(claim(&worker, ", at_most => 3").await.len(), 3);
    enqueue(&app, "acme", "'mail'").await;
    assert_eq!(woken(&listener).await, 1);
    assert_eq!(claim(&worker, "").await.len(), 1);
    // However long it is since it was looked at in vain.
    for _ in 0..6 {
        assert_eq!(claim(&worker, "").await, []);
        db.superuser().await.run("update tenant.job_queues set next_at = now() where next_at < 'infinity'").await;
        enqueue(&app, "acme", "'mail'").await;
        assert_eq!(woken(&listener).await, 1);
        assert_eq!(claim(&worker, "").await.len(), 1);
    }
    // Nor does what a savepoint has undone, and what is noted of it is not left in the session.
    claim(&worker, "").await;
    app.run("begin; select tenant.enter_pristine('acme'); savepoint s; select tenant.enqueue('mail'); rollback to s")
        .await;
    app.run("select tenant.enqueue('mail'); commit; begin; select tenant.enter_pristine('acme'); commit").await;
    assert_eq!(woken(&listener).await, 1);
    assert_eq!(claim(&worker, "").await.len(), 1);
    // And when its tenant may be entered again.
    let admin = db.admin().await;
    admin.run("select tenant.suspend('acme', 'unpaid')").await;
    assert_eq!(woken(&listener).await, 0);
    admin.run("select tenant.resume('acme', 'paid')").await;
    assert_eq!(woken(&listener).await, 1);
    // A job that may not run, or is not this worker's, keeps nobody asleep.
    admin.run("select tenant.define_job_kind('pdf', concurrency => 1)").await;
    for _ in 0..2 {
        enqueue(&app, "acme", "'pdf'").await;
    }
    assert_eq!(claim(&worker, ", at_most => 9").await.len(), 1);
    assert_eq!(claim(&worker, ", at_most => 9").await, []);
    woken(&listener).await;
    enqueue(&app, "acme", "'mail'").await;
    assert_eq!(woken(&listener).await, 1);
    assert_eq!(claim(&worker, "").await.len(), 1);
}

/// A tenant wakes workers itself, and says nothing with it; a channel of everybody's that was not declared is refused.
#[tokio::test]
async fn or_hears_what_a_tenant_says() {
    let (db, _) = workshop("told").await;
    let (app, listener) = (db.app().await, db.connect(&super::fixture::worker_of(&db)).await);
    listener.run("listen pg_tenant_jobs; listen background_jobs").await;
    // The hole: on stock, whoever listens hears what whoever notifies says.
    db.owner().await.run("notify background_jobs, 'iban CH93'").await;
    listener.run("select 1").await;
    assert_eq!(listener.notifications()[0].payload(), "iban CH93");
    app.inside("acme", "select pg_notify('pg_tenant_jobs', 'iban CH93')").await;
    assert_eq!(woken(&listener).await, 1);
    app.refused_inside("TN063", "acme", "notify pg_tenant_jobs, 'iban CH93'").await;
    app.inside("acme", "notify pg_tenant_jobs").await;
    assert_eq!(woken(&listener).await, 1);
    app.refused_inside("TN063", "acme", "select pg_notify('background_jobs', 'iban CH93')").await;
}

/// An ordinary trigger that wakes a worker of one's own, on a channel that was declared.
#[tokio::test]
async fn of_ones_own() {
    let (db, _) = workshop("trigger").await;
    let owner = db.protector().await;
    owner
        .run(
            "create table background_jobs (tenant_id text, id int); select tenant.protect('background_jobs');
             create function wake() returns trigger language plpgsql as
                 $$ begin perform pg_notify('background_jobs', new.id::text); return null; end $$;
             create trigger wake after insert on background_jobs for each row execute function wake()",
        )
        .await;
    let (app, listener) = (db.app().await, db.connect(&super::fixture::worker_of(&db)).await);
    let insert = "insert into background_jobs (id) values (7)";
    app.refused_inside("TN063", "acme", insert).await;
    db.admin().await.run("select tenant.allow_channel('background_jobs', 'wakes the worker')").await;
    listener.run("listen background_jobs").await;
    app.inside("acme", insert).await;
    listener.run("select 1").await;
    let heard = listener.notifications();
    assert_eq!((heard.len(), heard[0].payload()), (1, ""));
}
