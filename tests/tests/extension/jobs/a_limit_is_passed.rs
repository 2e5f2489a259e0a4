//! More jobs of a kind or of a tenant run at once than may; or who is let in for support cannot work with jobs.

use tokio::task::JoinSet;

use super::fixture::{claim, worker_of, workshop};

const MANY: &str = "select count(*) from tenant.enqueue_many('pdf', array_fill('{}'::jsonb, array[50]))";

/// The usual code counts what runs and takes one more; two count the same.
#[tokio::test]
async fn on_stock_by_two_who_count() {
    let (db, _) = workshop("stock_limit").await;
    let owner = db.owner().await;
    owner.run("create table queue (id int, state text); insert into queue values (1, 'ready'), (2, 'ready')").await;
    let (one, other) = (db.owner().await, db.owner().await);
    for (session, id) in [(&one, 1), (&other, 2)] {
        session.run("begin").await;
        let running = session.value("select count(*) from queue where state = 'running'").await;
        assert_eq!(running.as_deref(), Some("0"));
        session.run(&format!("update queue set state = 'running' where id = {id}")).await;
    }
    one.run("commit").await;
    other.run("commit").await;
    assert_eq!(owner.value("select count(*) from queue where state = 'running'").await.as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_many_who_claim_at_once() {
    let (db, worker) = workshop("limit").await;
    let (app, admin) = (db.app().await, db.admin().await);
    for tenant in ["acme", "globex"] {
        app.inside(tenant, MANY).await;
    }
    for (limits, most) in [
        ("select tenant.define_job_kind('pdf', concurrency => 3)", 3),
        ("select tenant.define_job_kind('pdf', tenant_concurrency => 2)", 4),
        (
            "select tenant.define_job_kind('pdf'), tenant.set_job_share('acme', concurrency => 1), tenant.set_job_share('globex', concurrency => 1)",
            2,
        ),
    ] {
        admin.run(limits).await;
        let mut workers = JoinSet::new();
        for _ in 0..6 {
            let worker = db.connect(&worker_of(&db)).await;
            workers.spawn(async move {
                let mut claims = Vec::new();
                for _ in 0..10 {
                    claims.extend(claim(&worker, ", at_most => 2").await);
                }
                claims
            });
        }
        let claims: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
        assert_eq!(claims.len(), most, "{limits}");
        // With an older snapshot nobody counts.
        worker.run("begin isolation level repeatable read").await;
        worker.expect_error("TN161", "select tenant.claim_jobs('w')").await;
        worker.run("rollback").await;
        for one in claims {
            worker.run(&one.call("release_job", "")).await;
        }
    }
    admin.run("select tenant.set_job_share('acme'), tenant.set_job_share('globex')").await;
    assert_eq!(claim(&worker, ", at_most => 200").await.len(), 100);
}

/// Who is in a tenant by a grant queues and sees jobs as the application does, and with one for reading only sees them.
#[tokio::test]
async fn for_support() {
    let (db, _) = workshop("support").await;
    let ann = format!("regress_{}_ann", db.name);
    db.superuser().await.run(&format!("create role {ann} login; grant tenant_support to {ann}")).await;
    let ann = db.connect(&ann).await;
    for (write, code) in [("true", None), ("false", Some("25006"))] {
        let grant = format!("select tenant.impersonate('acme', null, 'ticket 7', write => {write})");
        let grant = ann.value(&grant).await.expect("a grant");
        ann.run(&format!("begin; select tenant.enter_as('{grant}')")).await;
        match code {
            None => {
                ann.run("select tenant.enqueue('mail'), tenant.enqueue('sms')").await;
                ann.run("select tenant.cancel_job(id) from tenant.my_jobs where kind = 'sms'; commit").await;
            }
            Some(code) => {
                assert_eq!(
                    ann.value("select string_agg(kind, ' ') from tenant.my_jobs").await.as_deref(),
                    Some("mail")
                );
                ann.expect_error(code, "select tenant.enqueue('mail')").await;
                ann.run("rollback").await;
            }
        }
    }
}
