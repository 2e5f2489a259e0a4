//! A tenant that has worked much waits for those that come later; or one that may not work saves its turns.

use super::a_tenant_waits_behind_another::pages;
use super::fixture::{claim, enqueue, workshop};

const TEN: &str = "select count(*) from tenant.enqueue_many('bulk', array_fill('{}'::jsonb, array[10]))";

async fn tenants(worker: &pg_tenant_tests::Session, jobs: usize) -> Vec<String> {
    let mut tenants = Vec::new();
    for _ in 0..jobs {
        tenants.extend(claim(worker, "").await.into_iter().filter_map(|claim| claim.tenant));
    }
    tenants
}

/// One has had the workers for itself; when all is done another one comes, and then it again: they take turns.
#[tokio::test]
async fn while_all_rest() {
    let (db, worker) = workshop("rest").await;
    let app = db.app().await;
    app.inside("acme", "select tenant.enqueue_many('bulk', array_fill('{}'::jsonb, array[1000]))").await;
    assert_eq!(claim(&worker, ", at_most => 1000").await.len(), 1000);
    db.superuser().await.run("update tenant.job_queues set next_at = 'infinity'").await;
    for tenant in ["globex", "acme"] {
        app.inside(tenant, TEN).await;
        assert_eq!(claim(&worker, "").await.len(), 1);
    }
    let next = tenants(&worker, 8).await;
    assert_eq!(next.iter().filter(|tenant| *tenant == "acme").count(), 4, "{next:?}");
}

/// One whose jobs this worker does not do, or that run already as many as may, has no more turns afterwards.
#[tokio::test]
async fn while_it_may_not_work() {
    let (db, worker) = workshop("blocked").await;
    let (app, admin) = (db.app().await, db.admin().await);
    admin.run("select tenant.create('initech'), tenant.set_job_share('globex', concurrency => 1)").await;
    for tenant in ["acme", "globex"] {
        app.inside(tenant, "select tenant.enqueue_many('bulk', array_fill('{}'::jsonb, array[300]))").await;
    }
    assert_eq!(claim(&worker, ", at_most => 250").await.len(), 250);
    let times = "select max(virtual_time) - min(virtual_time) <= 100 from tenant.job_queues";
    claim(&worker, "").await;
    assert_eq!(admin.value(times).await.as_deref(), Some("t"));
    admin.run("select tenant.set_job_share('globex')").await;
    app.inside("initech", TEN).await;
    // Who comes now is next, and waits for nobody's savings.
    assert_eq!(tenants(&worker, 1).await, ["initech"]);
}

/// As many of a kind run as may, and thousands wait: nobody steps over them.
#[tokio::test]
async fn behind_jobs_that_may_not_run() {
    let (db, worker) = workshop("stepped").await;
    let (app, admin) = (db.app().await, db.admin().await);
    app.inside("acme", "select tenant.enqueue_many('pdf', array_fill('{}'::jsonb, array[10000]))").await;
    // Those that are there already are set apart as well.
    admin.run("select tenant.define_job_kind('pdf', concurrency => 1)").await;
    app.inside("acme", "select tenant.enqueue_many('pdf', array_fill('{}'::jsonb, array[10000]))").await;
    assert_eq!(claim(&worker, ", at_most => 9").await.len(), 1);
    app.inside("acme", TEN).await;
    let superuser = db.superuser().await;
    superuser.run("vacuum analyze tenant.jobs").await;
    let before = pages(&superuser, &worker).await;
    assert_eq!(tenants(&worker, 10).await.len(), 10);
    let pages = pages(&superuser, &worker).await - before;
    assert!(pages < 1000, "{pages} pages for ten claims");
    assert_eq!(claim(&worker, "").await, []);
    // By priority, whichever has a limit and whichever has none; and no limit is no end.
    admin.run("select tenant.define_job_kind('pdf')").await;
    enqueue(&app, "acme", "'mail', priority => 1").await;
    let urgent = enqueue(&app, "acme", "'mail', priority => -1").await;
    assert_eq!(claim(&worker, "").await[0].id, urgent);
    let next = claim(&worker, "").await.remove(0);
    assert_eq!(next.kind, "pdf");
}
