//! Connections of who queues and who works end at any moment: no job is lost, none is done twice, none that was not
//! committed is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pg_tenant_tests::Database;
use tokio::task::JoinSet;

use super::fixture::{let_time_pass, worker_of, workshop};

const CLAIM: &str = "select id, coalesce(tenant_id, ''), attempt from tenant.claim_jobs('worker', at_most => 3)";

/// Queues a job with each line of `wanted`, in one transaction; some are rolled back.
async fn queue(config: tokio_postgres::Config, tenant: &'static str, done: Arc<AtomicBool>) {
    let mut n = 0;
    while !done.load(Ordering::Relaxed) {
        let Ok(session) = pg_tenant_tests::Session::try_connect(&config).await else { continue };
        loop {
            n += 1;
            let end = if n % 5 == 0 { "rollback" } else { "commit" };
            let key = if n % 3 == 0 { "null".to_owned() } else { format!("'{n}'") };
            let sql = format!(
                "begin; select tenant.enter('{tenant}'); insert into wanted (job) select tenant.enqueue('mail', key => {key}); {end}"
            );
            if session.batch_execute(&sql).await.is_err() || done.load(Ordering::Relaxed) {
                break;
            }
        }
    }
}

/// Claims and does jobs, and dies when it is told to.
async fn work(config: tokio_postgres::Config, done: Arc<AtomicBool>) {
    while !done.load(Ordering::Relaxed) {
        let Ok(session) = pg_tenant_tests::Session::try_connect(&config).await else { continue };
        while !done.load(Ordering::Relaxed) {
            let Ok(claims) = session.query(CLAIM, &[]).await else { break };
            for claim in claims {
                let (id, tenant, attempt): (i64, String, i32) = (claim.get(0), claim.get(1), claim.get(2));
                let sql = format!(
                    "begin; select tenant.enter('{tenant}'); select tenant.take_job({id}, {attempt});
                     insert into done (job) values ({id}); select tenant.finish_job({id}, {attempt}); commit"
                );
                // Refused, since its time was over, or killed: what it did is undone.
                if session.batch_execute(&sql).await.is_err() && session.batch_execute("rollback").await.is_err() {
                    break;
                }
            }
        }
    }
}

async fn count(db: &Database<'_>, sql: &str) -> i64 {
    db.superuser().await.value(sql).await.and_then(|n| n.parse().ok()).expect("a count")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_any_moment() {
    let (db, _) = workshop("killed").await;
    let owner = db.owner().await;
    owner.run("create table wanted (tenant_id text, job bigint); select tenant.protect('wanted')").await;
    let done = Arc::new(AtomicBool::new(false));
    let mut all = JoinSet::new();
    for tenant in ["acme", "acme", "globex"] {
        all.spawn(queue(db.config(&db.roles.app), tenant, Arc::clone(&done)));
    }
    for _ in 0..4 {
        all.spawn(work(db.config(&worker_of(&db)), Arc::clone(&done)));
    }
    let kill = format!(
        "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity
            where datname = '{}' and usename in ('{}', '{}') order by random() limit 2) s",
        db.name,
        db.roles.app,
        worker_of(&db)
    );
    let (superuser, mut killed) = (db.superuser().await, 0);
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        killed += superuser.value(&kill).await.and_then(|n| n.parse::<u32>().ok()).expect("a count");
        // What those who are gone have claimed, and what those who live still do, comes to others.
        let_time_pass(&db).await;
    }
    done.store(true, Ordering::Relaxed);
    all.join_all().await;
    let worker = db.connect(&worker_of(&db)).await;
    loop {
        let_time_pass(&db).await;
        superuser.run("update tenant_internal.job_look set looked_at = '-infinity'").await;
        let claims = super::fixture::claim(&worker, ", at_most => 1000").await;
        if claims.is_empty() {
            break;
        }
        for claim in claims {
            claim.perform(&worker).await;
        }
    }
    assert!(killed > 20, "{killed}");
    let all = "set row_security = off; select count(*) from";
    let wanted = count(&db, &format!("{all} (select distinct job from wanted) w")).await;
    assert!(wanted > 20, "{wanted}");
    assert_eq!(count(&db, &format!("{all} done")).await, wanted, "as many as were wanted");
    assert_eq!(
        count(&db, &format!("{all} (select distinct job from done join wanted using (tenant_id, job)) d")).await,
        wanted
    );
    assert_eq!(count(&db, "select count(*) from tenant.jobs").await, 0);
}
