//! What a worker says of its own job costs more, the more jobs others work on.

use super::fixture::{claim, enqueue, workshop};

/// A plan that was made when nothing ran would go through all that runs now.
#[tokio::test]
async fn that_run() {
    let (db, worker) = workshop("answer").await;
    let (app, boss) = (db.app().await, db.superuser().await);
    boss.run("analyze tenant.jobs").await;
    app.inside("acme", "select count(*) from tenant.enqueue_many('mark', array_fill('{}'::jsonb, array[500]))").await;
    boss.run("analyze tenant.jobs").await;
    let mut jobs = claim(&worker, ", at_most => 100").await;
    enqueue(&app, "acme", "'mark'").await;
    let looked =
        "select pg_stat_clear_snapshot(), idx_scan from pg_stat_all_indexes where indexrelname = 'jobs_running'";
    let scans = async || {
        worker.run("select pg_stat_force_next_flush()").await;
        boss.rows(looked).await[0][1].clone()
    };
    let before = scans().await;
    for _ in 0..10 {
        jobs.pop().expect("a job").perform(&worker).await;
        worker.run(&jobs.pop().expect("a job").call("fail_job", ", 'no'")).await;
        worker.run(&jobs.pop().expect("a job").call("release_job", "")).await;
        let job = jobs.pop().expect("a job");
        worker.run(&format!("select tenant.extend_jobs('{{{}}}', '{{{}}}')", job.id, job.attempt)).await;
        worker.run(&format!("begin; {}; commit", job.call("enter_job", ""))).await;
    }
    assert_eq!(scans().await, before);
}
