//! The token is in no server log, in no pg_stat_activity, in no error and in no setting.

use pg_tenant_tests::shop::A;
use pg_tenant_tests::{Database, describe};

use crate::fixture::{SECRET, hs, now, shop_with_keys, token};

/// What another session of the same role sees of this one.
async fn seen(db: &Database<'_>, pid: &str) -> String {
    let sql = format!("select query from pg_stat_activity where pid = {pid}");
    db.app().await.value(&sql).await.unwrap_or_default()
}

fn expired() -> String {
    hs("hs", SECRET, &format!(r#"{{"tenant_id":"{A}","exp":{}}}"#, now() - 100))
}

/// Its claims or its signature; the header is that of every token.
fn leaks(text: &str, token: &str) -> bool {
    token.split('.').skip(1).any(|part| text.contains(part))
}

#[tokio::test]
async fn as_a_parameter() {
    let (db, _) = shop_with_keys("parameter").await;
    db.superuser().await.run(&format!("alter role {} set pg_tenant.require_signed = on", db.roles.app)).await;
    let app = db.app().await;
    let pid = app.value("select pg_backend_pid()").await.expect("a pid");
    let (good, bad) = (token(A, Some("ann"), None), expired());
    let enter = app.prepare("select tenant.enter_signed($1)").await.expect("prepare");
    let error = app.query_one(&enter, &[&bad]).await.expect_err("expired");
    assert!(!leaks(&describe(&error), &bad), "{}", describe(&error));
    app.run("begin").await;
    // Often enough for a custom plan, in which the parameter is a constant, and for a generic one.
    for _ in 0..8 {
        app.query_one(&enter, &[&good]).await.expect("enter");
    }
    assert!(!leaks(&seen(&db, &pid).await, &good));
    // Nothing of the session has it.
    let settings = app.rows("select name, setting from pg_settings where setting like '%eyJ%'").await;
    assert_eq!(settings, Vec::<Vec<_>>::new());
    let prepared = app.rows("select statement from pg_prepared_statements").await;
    assert!(prepared.iter().flatten().flatten().all(|text| !leaks(text, &good)), "{prepared:?}");
    app.run("commit").await;
    let log = db.cluster().log();
    assert!(!leaks(&log, &good) && !leaks(&log, &bad), "the log has a token");
    assert!(log.contains("token expired"));
}

#[tokio::test]
async fn in_the_text_of_a_statement() {
    let (db, _) = shop_with_keys("literal").await;
    let app = db.app().await;
    let pid = app.value("select pg_backend_pid()").await.expect("a pid");
    // Stock PostgreSQL shows it to every session of the role, and writes it to the log where the statement fails.
    let shown = token("stock", None, None);
    app.expect_error("22P02", &format!("select '{shown}'::int")).await;
    assert!(leaks(&db.cluster().log(), &shown) && leaks(&seen(&db, &pid).await, &shown), "stock");

    // Where it is allowed it is hidden as soon as it is seen, also from what fails later in the statement.
    let (good, bad) = (token(A, Some("ann"), None), expired());
    app.run("begin").await;
    app.run(&format!("select tenant.enter_signed('{good}')")).await;
    assert_eq!(seen(&db, &pid).await, "<a statement with a token>");
    app.expect_error("22012", &format!("select 1 / length(replace(tenant.enter_signed('{good}'), '{A}', ''))")).await;
    app.run("rollback").await;
    app.expect_error("TN094", &format!("select tenant.enter_signed('{bad}')")).await;
    // Within a function the error's CONTEXT quotes the statement, to the client and in the log; stock PostgreSQL shows
    // it.
    let quoted =
        app.expect_error("22012", &format!("do $$ begin perform 1 / length(left('{shown}', 0)); end $$")).await;
    assert!(quoted.where_().is_some_and(|context| leaks(context, &shown)), "stock: {quoted:?}");
    let inside = app.expect_error("TN094", &format!("do $$ begin perform tenant.enter_signed('{bad}'); end $$")).await;
    assert!(!leaks(&format!("{inside:?}"), &bad), "{inside:?}");
    let later = format!("do $$ begin perform 1 / length(replace(tenant.enter_signed('{good}'), '{A}', '')); end $$");
    app.expect_error("22012", &later).await;
    assert_eq!(seen(&db, &pid).await, "<a statement with a token>");

    db.superuser().await.run(&format!("alter role {} set pg_tenant.require_signed = on", db.roles.app)).await;
    let app = db.app().await;
    for sql in [
        format!("select tenant.enter_signed('{good}')"),
        format!("select tenant.enter_signed_pristine('{good}')"),
        format!("begin; select tenant.enter_signed('{good}'); select 1"),
        format!("do $$ begin perform tenant.enter_signed('{good}'); end $$"),
        format!("prepare literal as select tenant.enter_signed('{good}'); execute literal"),
        format!("prepare parameter (text) as select tenant.enter_signed($1); execute parameter ('{good}')"),
    ] {
        let error = app.expect_error("TN098", &sql).await;
        assert!(error.hint().is_some_and(|hint| hint.contains("$1")), "{error:?}");
        app.run("rollback").await;
    }
    app.run("deallocate literal; prepare literal as select tenant.enter_signed('00000000000000000000000000000000')")
        .await;
    app.expect_error("TN098", "execute literal").await;
    let log = db.cluster().log();
    assert!(!leaks(&log, &good) && !leaks(&log, &bad), "the log has a token");
}
