//! Actor and role end with the transaction, or with the savepoint they came in, and nobody else can set them.

use pg_tenant_tests::shop::A;
use pg_tenant_tests::{Install, Session};

use crate::fixture::{enter, shop_with_keys, token};

const WHO: &str = "select concat_ws('/', tenant.current_actor(), tenant.current_actor_role())";

async fn who(session: &Session) -> String {
    session.value(WHO).await.unwrap_or_default()
}

#[tokio::test]
async fn whatever_ends_it() {
    let (db, _) = shop_with_keys("ends").await;
    let app = db.app().await;
    let token = token(A, Some("ann"), Some("clerk"));
    // A setting of the usual kind stays: one missing word, and the next transaction has it.
    app.run("begin; select set_config('app.actor', 'ann', false); commit").await;
    assert_eq!(app.value("select current_setting('app.actor')").await.as_deref(), Some("ann"), "stock");
    for end in ["commit", "rollback", "commit and chain", "rollback and chain"] {
        app.run("begin").await;
        enter(&app, &token).await.expect("enter");
        assert_eq!(who(&app).await, "ann/clerk");
        app.run(end).await;
        assert_eq!(who(&app).await, "", "{end}");
        assert_eq!(app.value("select current_setting('pg_tenant.actor')").await.as_deref(), Some(""), "{end}");
        assert_eq!(app.value("select current_setting('pg_tenant.actor_role')").await.as_deref(), Some(""), "{end}");
        app.run("rollback").await;
    }
    app.run("begin").await;
    enter(&app, &token).await.expect("enter");
    app.expect_error("22012", "select 1 / 0").await;
    app.run("rollback").await;
    assert_eq!(who(&app).await, "", "an error");
}

#[tokio::test]
async fn or_the_savepoint() {
    let (db, _) = shop_with_keys("savepoint").await;
    let app = db.app().await;
    let token = token(A, Some("ann"), Some("clerk"));
    app.run("begin; savepoint s").await;
    enter(&app, &token).await.expect("enter");
    app.run("savepoint t; rollback to t").await;
    assert_eq!(who(&app).await, "ann/clerk", "a savepoint within");
    app.run("rollback to s").await;
    assert_eq!(who(&app).await, "", "the savepoint around");
    enter(&app, &token).await.expect("again");
    app.run("release s").await;
    assert_eq!(who(&app).await, "ann/clerk", "released");
    app.run("commit").await;
    assert_eq!(who(&app).await, "");
    // An exception block is a savepoint.
    db.owner()
        .await
        .run(
            "create function try_and_fail(token text) returns void language plpgsql as $$
             begin perform tenant.enter_signed(token); raise 'no'; exception when others then null; end $$",
        )
        .await;
    app.run("begin").await;
    app.execute("select try_and_fail($1)", &[&token]).await.expect("call");
    assert_eq!(who(&app).await, "", "an exception block");
    assert_eq!(app.value("select tenant.current_id()").await, None);
    app.run("rollback").await;
}

/// An argument of CALL is evaluated in a transaction that its procedure then ends: it is a copy, not what stands there
/// now.
#[tokio::test]
async fn and_an_argument_of_call_changes() {
    let (db, _) = shop_with_keys("argument").await;
    db.owner()
        .await
        .run(
            "create procedure keep(id text, actor text, out kept text, out after text) language plpgsql as $$
             begin commit; kept := actor; after := tenant.current_actor(); end $$",
        )
        .await;
    let app = db.app().await;
    let call = "call keep(tenant.enter_signed($1), tenant.current_actor(), null, null)";
    let row = app.query_one(call, &[&token(A, Some("ann"), None)]).await.expect("call");
    assert_eq!((row.get::<_, Option<&str>>(0), row.get::<_, Option<&str>>(1)), (Some("ann"), None));
}

#[tokio::test]
async fn when_somebody_else_sets_them() {
    let (db, _) = shop_with_keys("set").await;
    let (app, superuser) = (db.app().await, db.superuser().await);
    let token = token(A, Some("ann"), None);
    for setting in ["pg_tenant.actor", "pg_tenant.actor_role", "pg_tenant.role"] {
        for way in [
            format!("set {setting} = 'bob'"),
            format!("set local {setting} = 'bob'"),
            format!("reset {setting}"),
            format!("select set_config('{setting}', 'bob', true)"),
            format!("alter role {} set {setting} = 'bob'", db.roles.app),
        ] {
            app.run("begin").await;
            enter(&app, &token).await.expect("enter");
            app.run("savepoint s").await;
            app.expect_error("42501", &way).await;
            app.run("rollback to s").await;
            assert_eq!(who(&app).await, "ann", "{way}");
            app.run("rollback").await;
            if !way.starts_with("reset") {
                superuser.expect_error("22023", &way).await;
            }
        }
    }
    app.run("begin").await;
    enter(&app, &token).await.expect("enter");
    app.run("reset all").await;
    assert_eq!(who(&app).await, "ann", "reset all");
    app.run("rollback").await;
}

#[tokio::test]
async fn or_not_even_until_a_parallel_worker() {
    let (db, _) = shop_with_keys("worker").await;
    db.owner().await.run("create table lines as select n from generate_series(1, 20000) n; analyze lines").await;
    let allow = format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app); // EXPLAIN
    db.superuser().await.run(&allow).await;
    let app = db.app().await;
    let force = if Install::current().major == 15 { "force_parallel_mode" } else { "debug_parallel_query" };
    app.run(&format!(
        "set {force} = on; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
         set min_parallel_table_scan_size = 0; set max_parallel_workers_per_gather = 2"
    ))
    .await;
    app.run("begin").await;
    enter(&app, &token(A, Some("ann"), Some("clerk"))).await.expect("enter");
    let count = "select count(*) from lines where n > 0 and tenant.current_actor() = 'ann' and tenant.current_actor_role() = 'clerk'";
    let plan = app.rows(&format!("explain (analyze, costs off, timing off, summary off) {count}")).await;
    assert!(plan.iter().flatten().flatten().any(|line| line.contains("Workers Launched: 2")), "no workers: {plan:#?}");
    assert_eq!(app.value(count).await.as_deref(), Some("20000"));
    app.run("rollback").await;
}

/// What 0.1.0 called `current_actor_role` gives the same, in policies that were written then.
#[tokio::test]
async fn under_the_former_names_too() {
    let (db, _) = shop_with_keys("former").await;
    let app = db.app().await;
    let former = "select concat_ws('/', tenant.current_role(), current_setting('pg_tenant.role'))";
    let show = "select setting from pg_settings where name = 'pg_tenant.role'";
    app.run("begin").await;
    enter(&app, &token(A, Some("ann"), Some("clerk"))).await.expect("enter");
    assert_eq!(app.value(former).await.as_deref(), Some("clerk/clerk"));
    assert_eq!(app.value(show).await.as_deref(), Some("clerk"));
    app.run("commit").await;
    assert_eq!(app.value(former).await.as_deref(), Some(""));
    assert_eq!(app.value(show).await.as_deref(), Some(""));
}

/// A line of the journal has the actor of its transaction, and no other.
#[tokio::test]
async fn in_the_journal() {
    let (db, _) = shop_with_keys("actors_lines").await;
    let (app, boss) = (db.app().await, db.superuser().await);
    boss.run(
        "create function note() returns void language sql security definer as
             $$ select tenant_internal.write_journal('noted', 'x', null) $$",
    )
    .await;
    app.run("begin").await;
    enter(&app, &token(A, Some("ann"), Some("clerk"))).await.expect("enter");
    app.run("select note(); commit; select note()").await;
    let lines = boss.rows("select tenant_id, actor from tenant.journal where action = 'noted' order by id").await;
    assert_eq!(lines, [[Some(A.to_owned()), Some("ann".into())], [None, None]]);
    app.run("begin").await;
    enter(&app, &token(A, Some("bob"), None)).await.expect("enter");
    assert_eq!(app.value("select actor from tenant.audit_log").await.as_deref(), Some("ann"));
    app.run("rollback").await;
}
