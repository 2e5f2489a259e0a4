//! A line does not say for whom, in which request or in which transaction it was written, or says what its writer made
//! up.

use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn of_the_request() {
    let db = shop("requests").await;
    let admin = db.admin().await;
    admin
        .run(
            "begin; set local pg_tenant.request_id = 'req-1'; select tenant.create('x'), tenant.suspend('x', 'unpaid'); commit;
             select tenant.resume('x'); set pg_tenant.request_id = 'req-2'; select tenant.suspend('x');
             reset pg_tenant.request_id",
        )
        .await;
    let lines = admin.rows("select action, request_id from tenant.journal where object = 'x' order by id").await;
    let line = |action: &str, request: Option<&str>| vec![Some(action.to_owned()), request.map(str::to_owned)];
    let expected = [
        line("create", Some("req-1")),
        line("suspend", Some("req-1")),
        line("resume", None),
        line("suspend", Some("req-2")),
    ];
    assert_eq!(lines, expected);
    // Plain and bounded, whoever sets it and however.
    let app = db.app().await;
    for value in ["E'a\\nb'", "E'a\\u202eb'", &format!("'{}'", "x".repeat(129))] {
        app.expect_error("22023", &format!("set pg_tenant.request_id = {value}")).await;
        app.expect_error("22023", &format!("select set_config('pg_tenant.request_id', {value}, true)")).await;
    }
    app.run(&format!("begin; set local pg_tenant.request_id = '{}'; rollback", "x".repeat(128))).await;
    let role = &db.roles.admin;
    db.superuser().await.expect_error("22023", &format!("alter role {role} set pg_tenant.request_id = E'a\\tb'")).await;
}

/// A pool's next transaction is judged as before: the request's name ends with its transaction.
#[tokio::test]
async fn but_leaves_nothing_behind() {
    let db = shop("request_ends").await;
    let app = db.app().await;
    let enter = format!("select tenant.enter_pristine('{A}')");
    app.run(&format!("begin; set local pg_tenant.request_id = 'r'; {enter}; commit; begin; {enter}; commit")).await;
    assert_eq!(app.value("select current_setting('pg_tenant.request_id')").await.as_deref(), Some(""));
    app.run("set pg_tenant.request_id = 'stays'").await;
    app.expect_error("TN008", &format!("begin; {enter}")).await;
}

#[tokio::test]
async fn of_tenant_and_transaction() {
    let db = shop("whose").await;
    let boss = db.superuser().await;
    boss.run("create function note() returns void language sql security definer as $$ select tenant_internal.write_journal('noted', 'x', null) $$")
        .await;
    db.app().await.inside(A, "select note()").await;
    boss.run("select note(); select tenant_internal.write_journal('noted', 'x', null, null, 'another')").await;
    let whose =
        "select string_agg(coalesce(tenant_id, '-'), ' ' order by id) from tenant.journal where action = 'noted'";
    assert_eq!(boss.value(whose).await, Some(format!("{A} - another")));
    let told = "select bool_and(xid8 < pg_snapshot_xmax(pg_current_snapshot())
            and origin = (select origin from tenant_internal.journal_origin)) from tenant.journal";
    assert_eq!(boss.value(told).await.as_deref(), Some("t"));
    // None of it is for whoever writes to choose.
    let admin = db.admin().await;
    for column in ["tenant_id", "actor", "impersonator", "request_id", "xid8", "origin"] {
        admin
            .expect_error(
                "42501",
                &format!("insert into tenant.journal (action, object, {column}) values ('x', 'x', '1')"),
            )
            .await;
    }
    assert!(admin.batch_execute("set pg_tenant.impersonator = 'boss'").await.is_err());
}
