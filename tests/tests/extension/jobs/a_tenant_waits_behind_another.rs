//! A tenant with two jobs waits until another's hundred thousand are done.

use pg_tenant_tests::Session;

use super::fixture::{Claim, claim, enqueue, workshop};

const MANY: &str = "select tenant.enqueue_many('bulk', array_fill('{}'::jsonb, array[100000]))";

fn of(claims: &[Claim], tenant: &str) -> usize {
    claims.iter().filter(|claim| claim.tenant.as_deref() == Some(tenant)).count()
}

/// First in, first out, as queues do it: what comes later waits for all of it.
#[tokio::test]
async fn in_the_order_of_arrival() {
    let (db, _) = workshop("fifo").await;
    let owner = db.owner().await;
    owner
        .run(
            "create table queue (id bigint generated always as identity primary key, tenant_id text);
             insert into queue (tenant_id) select 'acme' from generate_series(1, 100000);
             insert into queue (tenant_id) values ('globex'), ('globex')",
        )
        .await;
    let before = owner
        .value("select count(*) from queue where id < (select min(id) from queue where tenant_id = 'globex')")
        .await;
    assert_eq!(before.as_deref(), Some("100000"));
}

/// How many pages of jobs and of their indexes were looked at, once the worker's session has told.
pub async fn pages(superuser: &Session, worker: &Session) -> i64 {
    worker.run("select pg_stat_force_next_flush(); select pg_stat_force_next_flush()").await;
    let sum = "select (heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)::bigint from pg_statio_user_tables where relname = 'jobs'";
    superuser.value(sum).await.and_then(|n| n.parse().ok()).expect("a count")
}

#[tokio::test]
async fn with_a_backlog() {
    let (db, worker) = workshop("backlog").await;
    let app = db.app().await;
    app.inside("acme", MANY).await;
    for _ in 0..5 {
        assert_eq!(of(&claim(&worker, ", at_most => 4").await, "acme"), 4);
    }
    for _ in 0..2 {
        enqueue(&app, "globex", "'mail'").await;
    }
    // The next claim has them, whether it takes one or many.
    let next = claim(&worker, "").await;
    assert_eq!(of(&next, "globex"), 1, "{next:?}");
    let next = claim(&worker, ", at_most => 4").await;
    assert_eq!((of(&next, "globex"), of(&next, "acme")), (1, 3), "{next:?}");
    // Nor does its own backlog cost a claim anything, nor what was claimed before: as many pages as it takes to claim
    // and to tend, and no more, whatever the statistics say.
    assert_eq!(claim(&worker, ", at_most => 1000").await.len(), 1000);
    let superuser = db.superuser().await;
    for of_statistics in ["select 1", "vacuum analyze tenant.jobs"] {
        superuser.run(of_statistics).await;
        let worker = db.connect(&super::fixture::worker_of(&db)).await;
        let before = pages(&superuser, &worker).await;
        for _ in 0..10 {
            assert_eq!(claim(&worker, "").await.len(), 1);
        }
        let pages = pages(&superuser, &worker).await - before;
        assert!(pages < 1000, "{pages} pages of jobs for ten claims after {of_statistics}");
    }
}

/// Who has a larger weight gets more, by its plan or its own share; within a tenant priority comes first.
#[tokio::test]
async fn by_weight_and_priority() {
    let (db, worker) = workshop("weight").await;
    let (app, admin) = (db.app().await, db.admin().await);
    admin
        .run("select tenant.define_plan('gold', quotas => '{\"job_weight\": 3}'), tenant.set_plan('globex', 'gold')")
        .await;
    for tenant in ["acme", "globex"] {
        app.inside(tenant, "select tenant.enqueue_many('bulk', array_fill('{}'::jsonb, array[100]))").await;
    }
    let mut claims = Vec::new();
    for _ in 0..40 {
        claims.extend(claim(&worker, "").await);
    }
    assert_eq!((of(&claims, "acme"), of(&claims, "globex")), (10, 30));
    admin.run("select tenant.set_job_share('acme', 3, reason => 'they asked')").await;
    claims.clear();
    for _ in 0..20 {
        claims.extend(claim(&worker, "").await);
    }
    assert_eq!((of(&claims, "acme"), of(&claims, "globex")), (10, 10));
    let urgent = enqueue(&app, "acme", "'bulk', priority => -1").await;
    let next = claim(&worker, ", at_most => 2").await;
    assert!(next.iter().any(|claim| claim.id == urgent), "{next:?}");
}

/// How many of a tenant, and of a kind, run at once; and lanes, of which a worker serves those that it names.
#[tokio::test]
async fn for_hands_that_it_may_not_have() {
    let (db, worker) = workshop("limits").await;
    let (app, admin) = (db.app().await, db.admin().await);
    admin.run("select tenant.define_job_kind('pdf', concurrency => 3, tenant_concurrency => 2)").await;
    for tenant in ["acme", "globex"] {
        app.inside(tenant, "select tenant.enqueue_many('pdf', array_fill('{}'::jsonb, array[10]))").await;
    }
    let claims = claim(&worker, ", at_most => 10").await;
    assert_eq!(claims.len(), 3, "{claims:?}");
    assert!(of(&claims, "acme") <= 2 && of(&claims, "globex") <= 2, "{claims:?}");
    assert_eq!(claim(&worker, ", at_most => 10").await, []);
    claims[0].perform(&worker).await;
    assert_eq!(claim(&worker, ", at_most => 10").await.len(), 1);
    // Other kinds do not wait for it.
    let mail = enqueue(&app, "acme", "'mail'").await;
    assert_eq!(claim(&worker, ", at_most => 10").await.iter().map(|claim| claim.id).collect::<Vec<_>>(), [mail]);
    admin.run("select tenant.set_job_share('globex', concurrency => 1)").await;
    app.inside("globex", "select tenant.enqueue_many('mail', array_fill('{}'::jsonb, array[10]))").await;
    let running = "select sum(running)::bigint from tenant.job_counts where tenant_id = 'globex'";
    let before: i64 = admin.value(running).await.and_then(|n| n.parse().ok()).expect("a count");
    let claims = claim(&worker, ", at_most => 10, kinds => '{mail}'").await;
    assert_eq!(claims.len(), usize::from(before == 0), "{before} run, {claims:?}");
    let night = enqueue(&app, "acme", "'report', lane => 'night'").await;
    assert_eq!(claim(&worker, ", lanes => '{default}'").await, []);
    assert_eq!(claim(&worker, ", lanes => '{night}'").await[0].id, night);
}
