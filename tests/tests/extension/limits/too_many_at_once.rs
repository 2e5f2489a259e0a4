//! No more transactions of a tenant run at once than may, whoever begins them.

use std::time::Duration;

use pg_tenant_tests::{Session, database};

async fn begin(session: &Session, tenant: &str) {
    session.run(&format!("begin; select tenant.enter('{tenant}')")).await;
}

#[tokio::test]
async fn one_more_waits_and_is_refused() {
    let db = database("at_once").await;
    let admin = db.admin().await;
    admin.run("select tenant.create('acme'), tenant.create('globex')").await;
    let (one, two, three) = (db.app().await, db.app().await, db.app().await);
    // Nothing stops it where there is no limit.
    begin(&one, "acme").await;
    begin(&two, "acme").await;
    begin(&three, "acme").await;
    for session in [&one, &two, &three] {
        session.run("rollback").await;
    }
    admin.run("select tenant.set_limit('acme', 'concurrent_transactions', 2)").await;
    begin(&one, "acme").await;
    begin(&two, "acme").await;
    let superuser = db.superuser().await;
    superuser.run(&format!("alter role {} set pg_tenant.admission_timeout = '150ms'", db.roles.app)).await;
    let three = db.app().await;
    let error = three.expect_error("TN180", "begin; select tenant.enter('acme')").await;
    assert!(error.detail().is_some_and(|detail| detail.contains("Limit 2, in use 2; waited 150 ms")), "{error:?}");
    three.run("rollback").await;
    begin(&three, "globex").await;
    three.run("rollback").await;
    begin(&superuser, "acme").await;
    superuser.run("rollback").await;
    let state = "select in_use, refused from tenant.limit_state where tenant_id = 'acme'";
    assert_eq!(admin.rows(state).await, [[Some("2".to_owned()), Some("1".to_owned())]]);
    let waited = "select admission_waits, admission_wait_ms >= 100 from tenant.stat_tenants where context = 'none'";
    assert_eq!(admin.rows(waited).await[0], [Some("1".to_owned()), Some("t".to_owned())]);
}

#[tokio::test]
async fn and_is_let_in_when_one_ends() {
    let db = database("at_once_next").await;
    db.admin()
        .await
        .run("select tenant.create('acme'); select tenant.set_limit('acme', 'concurrent_transactions', 1)")
        .await;
    let (one, two) = (db.app().await, db.app().await);
    two.run("set pg_tenant.request_id = 'x'").await;
    begin(&one, "acme").await;
    let ending = async {
        tokio::time::sleep(Duration::from_millis(80)).await;
        one.run("commit").await;
    };
    tokio::join!(begin(&two, "acme"), ending);
    two.run("commit").await;
    // A savepoint that undid the entry does not count it twice, nor let it go.
    one.run("begin; savepoint s; select tenant.enter('acme'); rollback to s; select tenant.enter('acme')").await;
    let in_use = "select in_use from tenant.limit_state where tenant_id = 'acme'";
    assert_eq!(db.admin().await.value(in_use).await.as_deref(), Some("1"));
    one.run("commit").await;
    assert_eq!(db.admin().await.value(in_use).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn by_a_bound_role() {
    let db = database("at_once_bound").await;
    let (superuser, bound) = (db.superuser().await, format!("regress_{}_bound", db.name));
    superuser
        .run(&format!(
            "create role {bound} login in role tenant_user; alter role {bound} set pg_tenant.admission_timeout = '20ms';
             select tenant.create('acme'); select tenant.bind_role('{bound}', 'acme');
             select tenant.set_limit('acme', 'concurrent_transactions', 1)"
        ))
        .await;
    let (one, two) = (db.connect(&bound).await, db.connect(&bound).await);
    one.run("begin; select 1").await;
    two.expect_error("TN180", "select 1").await;
    one.run("commit").await;
    two.run("select 1").await;
}

#[tokio::test]
async fn what_else_a_tenant_takes() {
    let db = database("at_once_else").await;
    let admin = db.admin().await;
    admin
        .run(
            "select tenant.create('acme'); select tenant.set_limit('acme', 'advisory_locks', 2);
             select tenant.set_limit('acme', 'temporary_bytes', 1048576)",
        )
        .await;
    let app = db.app().await;
    begin(&app, "acme").await;
    app.run("select tenant.advisory_lock('a'), tenant.advisory_lock('b')").await;
    app.expect_error("TN055", "select tenant.advisory_lock('c')").await;
    app.run("rollback").await;
    begin(&app, "acme").await;
    app.run("set local work_mem = '64kB'").await;
    app.expect_error("53400", "select count(*) from (select n from generate_series(1, 1000000) n order by -n) x").await;
    app.run("rollback").await;
    begin(&app, "acme").await;
    app.expect_error("42501", "set local temp_file_limit = -1").await;
}
