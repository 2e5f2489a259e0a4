//! The application cannot raise a limit of its tenant, in any of the ways in which PostgreSQL changes a setting.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Session, describe};

/// With `statement_timeout = 5 min`, `work_mem = 1MB` and read only. The last statement of each must be refused; in a
/// session without a tenant, and so on stock PostgreSQL, all of them run.
const WAYS: &[&str] = &[
    "set temp_buffers = '64MB'", // before there is a temporary table: PostgreSQL refuses it afterwards
    "set statement_timeout = 0",
    "set statement_timeout = '6 min'",
    "set local statement_timeout = '1 h'",
    "set local statement_timeout to default",
    "reset statement_timeout",
    "reset all",
    "set work_mem = '1GB'",
    "reset work_mem",
    "set lock_timeout = 0",
    "set idle_in_transaction_session_timeout = 0",
    "select set_config('work_mem', '1GB', false)",
    "select set_config('work_mem', '1GB', true)",
    "select 1 where (select set_config('statement_timeout', '0', true)) is not null",
    "with w as (select set_config('statement_timeout', '0', true) as v) select v from w",
    "do $$ begin perform set_config('work_mem', '1GB', true); end $$",
    "do $$ begin execute 'set local work_mem = ''1GB'''; end $$",
    "update pg_settings set setting = '0' where name = 'statement_timeout'",
    "create function pg_temp.f() returns text language sql as $$ select set_config('work_mem', '1GB', true) $$; select pg_temp.f()",
    "declare c cursor for select set_config('work_mem', '1GB', true); fetch c",
    "declare c cursor for select set_config('work_mem', '1GB', true) from generate_series(1, 2); fetch c; fetch c",
    "declare c cursor for select set_config('work_mem', '1GB', true); move c",
    "prepare p as select set_config('work_mem', '1GB', true); execute p",
    "explain (analyze) select set_config('work_mem', '1GB', true)",
    "create temp table t on commit drop as select set_config('work_mem', '1GB', true)",
    "savepoint s; set local work_mem = '1GB'",
    // With as much memory by another name.
    "set hash_mem_multiplier = 1000",
    "set local hash_mem_multiplier = 2.1",
    "select set_config('hash_mem_multiplier', '1000', true)",
    "set local maintenance_work_mem = '1GB'",
    "reset maintenance_work_mem",
    "set logical_decoding_work_mem = '1GB'",
];

/// What lets writes back in, tried where only `read_only` was given.
const WRITES: &[&str] = &[
    "set transaction_read_only = off",
    "set local transaction_read_only = off",
    "set transaction read write",
    "reset transaction_read_only",
    "set transaction_read_only to default",
    "select set_config('transaction_read_only', 'off', true)",
    "begin read write",
    "start transaction read write",
];

/// Tries one way inside a tenant, where `enter` leads.
async fn refuse(session: &Session, verdicts: &[&str], enter: &str, way: &str) {
    session.run(&format!("begin; {enter}")).await;
    match session.batch_execute(way).await {
        Ok(()) => panic!("{way}\nwas not refused; expected SQLSTATE {verdicts:?}"),
        Err(e) if e.code().is_some_and(|code| verdicts.contains(&code.code())) => {}
        Err(e) => panic!("{way}\nexpected SQLSTATE {verdicts:?}\n{}", describe(&e)),
    }
    session.run("rollback; deallocate all").await;
}

/// What lets writes back in: PostgreSQL refuses it after a query (25001) or since 16 (0A000), else pg_tenant (TN009;
/// TN017 for BEGIN in a transaction that is open).
const NOT_WRITABLE: &[&str] = &["TN009", "TN017", "25001", "0A000"];

#[tokio::test]
async fn by_the_application() {
    let db = shop("raised").await;
    let admin = db.admin().await;
    let limits = format!(
        "tenant.set_limits('{A}', '5 min', '5 min', '5 min', '1MB'), tenant.set_limits('{B}', read_only => true)"
    );
    admin.run(&format!("select {limits}")).await;
    let login = &db.roles.app;
    db.superuser().await.run(&format!("alter role {login} set pg_tenant.side_channels = allow")).await; // EXPLAIN
    let app = db.app().await;
    for way in WAYS {
        app.run(&format!("begin; {way}")).await; // with no tenant nothing is in the way
        app.run("rollback; deallocate all").await;
        refuse(&app, &["TN009"], &format!("select tenant.enter('{A}')"), way).await;
    }
    for way in WRITES {
        refuse(&app, NOT_WRITABLE, &format!("select tenant.enter('{B}')"), way).await;
        refuse(&app, NOT_WRITABLE, &format!("select tenant.enter('{B}'); savepoint s"), way).await;
    }
    // A bound role has its tenant's limits from the first statement on.
    admin.run(&format!("select tenant.bind_role('{login}', '{A}')")).await;
    let bound = db.app().await;
    for way in WAYS {
        refuse(&bound, &["TN009"], "select 1", way).await;
    }
    admin.run(&format!("select tenant.bind_role('{login}', '{B}')")).await;
    let bound = db.app().await;
    for way in WRITES {
        refuse(&bound, NOT_WRITABLE, "select 1", way).await;
    }
}

#[tokio::test]
async fn before_the_tenant_is_entered() {
    let db = shop("before").await;
    let (admin, login) = (db.admin().await, &db.roles.app);
    admin.run(&format!("select tenant.set_limits('{A}', '5 min', work_mem => '1MB', read_only => true)")).await;
    db.superuser()
        .await
        .run(&format!("alter role {login} set work_mem = '1GB'; alter role {login} set statement_timeout = '1 h'"))
        .await;
    let app = db.app().await; // a new login
    assert_eq!(app.value("show work_mem").await.as_deref(), Some("1GB"));
    app.run("set transaction_read_only = off; set statement_timeout = '2 h'").await;
    for setting in [["statement_timeout", "5min"], ["work_mem", "1MB"], ["transaction_read_only", "on"]] {
        assert_eq!(app.inside_value(A, &format!("show {}", setting[0])).await.as_deref(), Some(setting[1]));
    }
    // The same for the bound role, whose first statement may be any.
    admin.run(&format!("select tenant.bind_role('{login}', '{A}')")).await;
    let bound = db.app().await;
    for first in [
        "insert into orders (id) values (10)",
        "delete from orders",
        "select 1 from orders for update",
        "create view v as select 1",
    ] {
        bound.expect_error("25006", first).await;
        bound.expect_error("25006", &format!("begin; set local work_mem = '1GB'; {first}")).await;
        bound.run("rollback").await;
        bound.expect_error("25006", &format!("begin; savepoint s; select 1; rollback to s; {first}")).await;
        bound.run("rollback").await;
    }
    bound.run("begin; set local work_mem = '1GB'; select 1").await;
    assert_eq!(bound.value("show work_mem").await.as_deref(), Some("1MB"));
    bound.run("savepoint s; table orders; rollback to s; table orders; release s").await;
    assert_eq!(bound.value("show work_mem").await.as_deref(), Some("1MB"), "after a savepoint");
    bound.run("commit; begin; savepoint s").await;
    bound.expect_error("22012", "select 1/0").await;
    bound.run("rollback to s; table orders; commit").await;
    bound.run("set statement_timeout = 0").await;
    admin.run(&format!("select tenant.set_limits('{A}', '500 ms')")).await;
    bound.expect_error("57014", "select pg_sleep(60)").await;
    bound.expect_error("57014", "begin; select 1; select pg_sleep(60)").await;
    bound.run("rollback").await;
}

#[tokio::test]
async fn inside_a_function() {
    let db = shop("inside").await;
    db.admin().await.run(&format!("select tenant.set_limits('{A}', work_mem => '1MB')")).await;
    let app = db.app().await;
    let body = "language plpgsql as $$ begin return (select count(*) from orders); end $$";
    app.run(&format!("create function pg_temp.f() returns bigint set work_mem = '1GB' {body}")).await;
    app.refused_inside("TN009", A, "select pg_temp.f()").await;
    // An expression of PL/pgSQL is no query of its own; the next query is refused.
    let raise = "do $$ declare x text; begin x := set_config('work_mem', '1GB', true); perform from orders; end $$";
    app.refused_inside("TN009", A, raise).await;
    // Caught, it is as if nothing had been set.
    let caught =
        "do $$ begin perform set_config('work_mem', '1GB', true); exception when sqlstate 'TN009' then null; end $$";
    assert_eq!(app.inside_value(A, &format!("{caught}; show work_mem")).await.as_deref(), Some("1MB"));
}

#[tokio::test]
async fn and_cannot_be_lowered() {
    let db = shop("lowered").await;
    db.admin().await.run(&format!("select tenant.set_limits('{A}', '5 min', '5 min', '5 min', '1MB')")).await;
    let app = db.app().await;
    for lower in ["set local statement_timeout = '4 min'", "set lock_timeout = 1", "set local work_mem = '64kB'"] {
        app.inside(A, &format!("{lower}; table orders")).await;
    }
    app.inside(A, "set transaction read only; table orders").await;
    app.inside(A, "select set_config('work_mem', '512kB', true); table orders").await;
}
