//! Jobs, kinds, shares and schedules that cannot be are refused, each with what it takes.

use super::fixture::workshop;

const ENQUEUED: &[&str] = &[
    "''",
    "null",
    "'a b'",
    "'mail', null",
    "'mail', key => repeat('k', 256)",
    "'mail', lane => 'a b'",
    "'mail', max_attempts => 0",
    "'mail', trace => 'acme'",
];
const WORKED: &[&str] = &[
    "select tenant.claim_jobs('')",
    "select tenant.claim_jobs(null)",
    "select tenant.claim_jobs('w', at_most => 0)",
    "select tenant.claim_jobs('w', at_most => 1001)",
    "select tenant.claim_jobs('w', lease => '1 ms')",
    "select tenant.extend_jobs('{1}', '{1}', '2 days')",
    "select tenant.fail_job(1, 1, 'x', '-1 s')",
];
const MANAGED: &[&str] = &[
    "select tenant.define_job_kind('a b')",
    "select tenant.define_job_kind('a', concurrency => 0)",
    "select tenant.define_job_kind('a', backoff => '2 h')",
    "select tenant.define_job_kind('a', priority => 40000)",
    "select tenant.set_job_share('acme', 0)",
    "select tenant.delete_job(4711, 'so there')",
    "select tenant.define_schedule('s', '* * *', 'system', 'mail', reason => 'x')",
    "select tenant.define_schedule('s', '* * * * *', 'all', 'mail')",
    "select tenant.define_schedule('s', '* * * * *', 'each_tenant', 'mail', time_zone => 'Mars')",
    "select tenant.enable_schedule('none', true, 'x')",
];

#[tokio::test]
async fn in_each_way() {
    let (db, worker) = workshop("malformed").await;
    let (app, admin) = (db.app().await, db.admin().await);
    for arguments in ENQUEUED {
        app.run("begin; select tenant.enter('acme')").await;
        let refused = app.expect_error("TN161", &format!("select tenant.enqueue({arguments})")).await;
        assert!(refused.hint().is_some() && refused.detail().is_some(), "{refused:?}");
        app.run("rollback").await;
    }
    app.run("begin; select tenant.enter('acme')").await;
    app.expect_error("TN161", "select tenant.enqueue_many('mail', '{}', '{a}')").await;
    app.run("rollback").await;
    for statement in WORKED {
        worker.expect_error("TN161", statement).await;
    }
    worker.expect_error("TN100", "select tenant.claim_jobs(E'a\\nb')").await;
    for statement in MANAGED {
        admin.expect_error("TN161", statement).await;
    }
    admin.expect_error("TN002", "select tenant.set_job_share('nobody', 1)").await;
    admin.expect_error("TN029", "select tenant.define_schedule('s', '* * * * *', 'system', 'mail')").await;
    db.superuser().await.run(&format!("grant tenant_admin to {}", db.roles.app)).await;
    let both = db.app().await;
    both.run("begin; select tenant.enter('acme')").await;
    both.expect_error("TN162", "select tenant.enqueue_system('mail', '{}', 'so there')").await;
}
