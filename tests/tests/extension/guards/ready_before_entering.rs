//! An expression that is made ready before the tenant is entered, and evaluated after it: the guards on functions hold.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, B, shop};

#[tokio::test]
async fn in_a_cursor_or_the_statement_that_enters() {
    let db = shop("ready").await;
    let app = db.app().await;
    let size = "pg_relation_size('orders')";
    app.run(&format!("select {size}")).await; // with no tenant it is nobody's secret
    for (code, call) in [
        ("TN062", size),
        ("TN062", "(select count(*) from pg_locks)"),
        ("TN063", "pg_try_advisory_xact_lock(7)"),
        ("TN064", "lo_create(0)"),
    ] {
        app.run(&format!(
            "begin; declare c scroll cursor for select {call} from generate_series(1, 3); fetch 1 from c"
        ))
        .await;
        app.run(&format!("select tenant.enter('{A}')")).await;
        app.expect_error(code, "fetch 1 from c").await; // TN062 TN063 TN064
        app.run("rollback").await;
        let one = format!("select {call} from (select tenant.enter('{A}') offset 0) entered");
        app.expect_error(code, &one).await;
        app.expect_error(code, &format!("begin; select tenant.enter('{A}'), {call}")).await;
        app.run("rollback").await;
        // By a loop, whose query is a cursor of fifty rows at a time.
        let looped = format!(
            "do $$ declare r record; begin for r in select {call} from generate_series(1, 100) loop perform tenant.enter('{A}'); end loop; end $$"
        );
        app.expect_error(code, &looped).await;
    }
    // A prepared statement is made ready anew each time.
    app.run(&format!("set plan_cache_mode = force_generic_plan; prepare p as select {size}; execute p")).await;
    let twice = format!("begin; execute p; select tenant.enter('{A}'); execute p; rollback");
    let [before, _, after] = app.rows(&twice).await.try_into().expect("three rows");
    assert!(before[0].is_some() && after[0].is_none(), "{before:?} {after:?}");
    db.refuse_side_channels().await;
    let refusing = db.app().await;
    refusing.run(&format!("set plan_cache_mode = force_generic_plan; prepare p as select {size}; execute p")).await;
    refusing.expect_error("TN062", &twice).await;
    app.run("deallocate p").await;
    // The neighbours: a cursor of harmless functions; a call that is over; a savepoint that undoes the entry.
    app.run(&format!(
        "begin; select {size}; select pg_try_advisory_xact_lock(7);
         declare c cursor for select lower('X') from generate_series(1, 3);
         select tenant.enter('{A}'); fetch all from c; select * from orders; commit"
    ))
    .await;
    app.run(&format!(
        "begin; declare c cursor for select {size} from generate_series(1, 3); savepoint s; select tenant.enter('{A}');
         rollback to s; fetch 1 from c; commit"
    ))
    .await;
    assert_eq!(app.inside_value(B, "select count(*) from orders").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn in_a_function_that_has_run() {
    let db = shop("ready_function").await;
    db.owner()
        .await
        .run(
            "create function size() returns bigint language plpgsql as $$ begin return pg_relation_size('orders'); end $$;
             create function taken() returns text language plpgsql as $$ begin
                if pg_try_advisory_xact_lock(7) then return 'yes'; end if; return 'no'; end $$;
             create function harmless() returns text language plpgsql as $$ begin return upper('x'); end $$;
             create table log (id int, bytes bigint);
             create function note_size() returns trigger language plpgsql as $$ begin new.bytes := pg_relation_size('orders'); return new; end $$;
             create trigger note_size before insert on log for each row execute function note_size();
             create function by_default(bigint default pg_relation_size('orders')) returns bigint language plpgsql as $$ begin return $1; end $$",
        )
        .await;
    let app = db.app().await;
    // What has run with the size of a table hides it as soon as the tenant is entered.
    for (call, read) in [
        ("size()", ""),
        ("by_default()", ""),
        ("bytes from noted", "with noted as (insert into log values (1) returning bytes)"),
    ] {
        let call = format!("{read} select {call}");
        let [before, _, after] = app
            .rows(&format!("begin; {call}; select tenant.enter('{A}'); {call}; rollback"))
            .await
            .try_into()
            .expect("three rows");
        assert!(before[0].is_some() && after[0].is_none(), "{call}: {before:?} {after:?}");
    }
    db.refuse_side_channels().await;
    let app = db.app().await;
    for (code, call) in [
        ("TN062", "select size()"),
        ("TN062", "insert into log values (1)"),
        ("TN062", "select by_default()"),
        ("TN063", "select taken()"),
    ] {
        app.run("begin").await;
        app.run(&format!("{call}; {call}; select tenant.enter('{A}'); select harmless()")).await;
        app.expect_error(code, call).await;
        app.run("rollback").await;
        app.refused_inside(code, A, call).await;
    }
    // The neighbour.
    app.run(&format!(
        "begin; select harmless(); select tenant.enter('{A}'); select harmless(), tenant.current_id(); commit"
    ))
    .await;
    app.run("begin; select size(); select taken(); commit").await;
}

/// Of an extension's functions each call is judged.
#[tokio::test]
async fn in_an_extension() {
    if Install::current().lacks("pgstattuple") {
        return;
    }
    let db = shop("ready_extension").await;
    let app = &db.roles.app;
    db.superuser()
        .await
        .run(&format!(
            "create extension pgstattuple; grant pg_stat_scan_tables to {app};
             create function pages() returns bigint language plpgsql as $$ begin return pg_relpages('orders'); end $$"
        ))
        .await;
    let app = db.app().await;
    app.run("select pages()").await;
    let pages = format!("begin; select pages(); select tenant.enter('{A}'); select pages(); rollback");
    let [before, _, after] = app.rows(&pages).await.try_into().expect("three rows");
    assert!(before[0].is_some() && after[0].is_none(), "{before:?} {after:?}");
    db.refuse_side_channels().await;
    let app = db.app().await;
    for call in ["select pages()", "fetch 1 from c"] {
        app.run(&format!(
            "begin; select pages(); declare c cursor for select pg_relpages('orders') from generate_series(1, 3);
             select tenant.enter('{A}')"
        ))
        .await;
        app.expect_error("TN062", call).await;
        app.run("rollback").await;
    }
}
