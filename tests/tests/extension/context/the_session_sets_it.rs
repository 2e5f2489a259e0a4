//! The tenant is whatever the session says: the hole of every policy over a custom setting. Each way of saying it is
//! tried on such a policy, where it works, and on `pg_tenant.id`.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Session, describe};

/// How pg_tenant answers: an SQLSTATE, or the statement runs and changes nothing.
const CHANGES_NOTHING: &str = "00000";

/// `{s}` is the setting, `{b}` the other tenant; the verdict is pg_tenant's. Stock PostgreSQL accepts all but the
/// update of pg_settings, which does not list settings that nobody declared.
const WAYS: &[(&str, &str)] = &[
    ("42501", "set {s} = '{b}'"),
    ("42501", "set session {s} = '{b}'"),
    ("42501", "set local {s} = '{b}'"),
    ("42501", "set local {s} to default"),
    ("42501", "set {s} = ''"),
    ("42501", "reset {s}"),
    (CHANGES_NOTHING, "reset all"),
    ("42501", "select set_config('{s}', '{b}', false)"),
    ("42501", "select set_config('{s}', '{b}', true)"),
    ("42501", "select set_config('{s}', null, true)"),
    ("42501", "select pg_catalog.set_config(upper('{s}'), '{b}', true)"),
    ("42501", "select 1 where (select set_config('{s}', '{b}', true)) is not null"),
    ("42501", "with w as (select set_config('{s}', '{b}', true) as v) select v from w"),
    ("42501", "select n from generate_series(1, 2) n order by set_config('{s}', '{b}', true)"),
    ("42501", "do $$ begin perform set_config('{s}', '{b}', true); end $$"),
    ("42501", "do $$ begin execute 'set local {s} = ''{b}'''; end $$"),
    (
        CHANGES_NOTHING,
        "do $$ begin perform set_config('{s}', '{b}', true);
            exception when insufficient_privilege then perform tenant.current_id(); end $$",
    ),
    ("42501", "update pg_settings set setting = '{b}' where name = '{s}'"),
    ("42501", "declare c cursor for select set_config('{s}', '{b}', true); fetch c"),
    ("42501", "prepare p as select set_config('{s}', '{b}', true); execute p"),
    (
        "42501",
        "create function pg_temp.f() returns void language sql as $$ select set_config('{s}', '{b}', true) $$;
         select pg_temp.f()",
    ),
];

fn fill(way: &str, setting: &str) -> String {
    way.replace("{s}", setting).replace("{b}", B)
}

async fn sqlstate(session: &Session, sql: &str) -> String {
    match session.batch_execute(sql).await {
        Ok(()) => CHANGES_NOTHING.into(),
        Err(e) => e.as_db_error().unwrap_or_else(|| panic!("{sql}: {e}")).code().code().into(),
    }
}

#[tokio::test]
async fn by_a_statement() {
    let db = shop("said").await;
    for (verdict, way) in WAYS {
        let app = db.app().await; // a fresh one each time: what one way leaves is not another's
        let sql = fill(way, "app.tenant");
        app.run(&format!("begin; set local app.tenant = '{A}'; {sql}")).await;
        // RESET and DEFAULT lead out of the tenant, the others into another.
        let now = app.value("select coalesce(max(tenant_id::text), '') from stock_orders").await.unwrap();
        if !sql.contains("pg_settings") {
            assert_ne!(now, A, "stock PostgreSQL is thought to accept: {sql}");
        }
        app.run("rollback").await;
        app.run("discard all").await;

        let sql = fill(way, "pg_tenant.id");
        app.run(&format!("begin; select tenant.enter('{A}'); savepoint s")).await;
        assert_eq!(sqlstate(&app, &sql).await, *verdict, "{sql}");
        if *verdict != CHANGES_NOTHING {
            app.run("rollback to s").await;
        }
        assert_eq!(app.value("select tenant.current_id()").await.as_deref(), Some(A), "after {sql}");
        assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"), "after {sql}");
        app.run("rollback; deallocate all").await;
        // The same with no tenant entered, and outside a transaction: no way in either.
        assert_eq!(sqlstate(&app, &sql.replace("declare", "begin; declare")).await, *verdict, "no tenant, {sql}");
        app.run("rollback").await;
        app.expect_error("TN001", "select * from orders").await;
    }
}

#[tokio::test]
async fn by_a_clause_of_a_function() {
    let db = shop("clause").await;
    let app = db.app().await;
    let function = |clause: &str| {
        format!(
            "create or replace function pg_temp.f() returns bigint language plpgsql {clause}
             as $$ begin return (select count(*) from {{t}}); end $$"
        )
    };
    // Stock PostgreSQL lets a function's clause set a declared setting: with any of those in the policy, this is the
    // way.
    app.run("set application_name = 'a'").await;
    app.run(
        &function(&format!("set application_name = '{B}'"))
            .replace("(select count(*) from {t})", "length(current_setting('application_name'))"),
    )
    .await;
    assert_eq!(app.value("select pg_temp.f()").await.as_deref(), Some("36"), "stock: another tenant's name");

    let ours = |clause: &str| function(clause).replace("{t}", "orders");
    let clause = format!("set pg_tenant.id = '{B}'");
    app.refused_inside("42501", A, &ours(&clause)).await;
    app.refused_inside("42501", A, &ours("set pg_tenant.id from current")).await;
    // Without the check at creation it is refused at the call.
    for clause in [clause.as_str(), "set pg_tenant.id to default", "set pg_tenant.id = ''"] {
        let sql = format!("set local check_function_bodies = off; {}", ours(clause));
        app.refused_inside("42501", A, &format!("{sql}; select pg_temp.f()")).await;
    }
    // A superuser's function does no better: its value has passed no registry.
    let superuser = db.superuser().await;
    for body in [format!("select set_config('pg_tenant.id', '{B}', true)"), format!("set local pg_tenant.id = '{B}'")] {
        superuser
            .run(&format!(
                "create or replace procedure lend() language plpgsql security definer
                 as $$ begin execute {}; end $$",
                quote(&body)
            ))
            .await;
        app.refused_inside("22023", A, "call lend()").await;
    }
    superuser.expect_error("22023", &format!("set pg_tenant.id = '{B}'")).await;
    superuser.expect_error("22023", &format!("begin; set local pg_tenant.id = '{B}'")).await;
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[tokio::test]
async fn at_login() {
    let db = shop("login").await;
    let app = db.app().await;
    let role = &db.roles.app;
    let mut config = db.config(role);
    let stock = Session::connect(config.options(format!("-c app.tenant={B}"))).await;
    assert_eq!(stock.value("select count(*) from stock_orders").await.as_deref(), Some("2"), "stock: a startup option");

    for options in [format!("-c pg_tenant.id={B}"), format!("--pg_tenant.id={B}"), format!("-c pg_tenant.ID={B}")] {
        let error = Session::try_connect(config.options(&options)).await.err().unwrap_or_else(|| panic!("{options}"));
        assert!(describe(&error).contains("FATAL 42501"), "{options}: {}", describe(&error));
    }
    // The other settings hold the fence up as well.
    for options in ["-c pg_tenant.strict=off", "-c pg_tenant.guards=off", "-c pg_tenant.require_registered=off"] {
        let error = Session::try_connect(config.options(options)).await.err().unwrap_or_else(|| panic!("{options}"));
        assert!(describe(&error).contains("FATAL 42501"), "{options}: {}", describe(&error));
    }
    app.expect_error("42501", &format!("alter role {role} set pg_tenant.id = '{B}'")).await;
    app.expect_error("42501", &format!("alter role current_user set pg_tenant.id = '{B}'")).await;
    app.expect_error("42501", &format!("alter role {role} set pg_tenant.strict = off")).await;
    db.app().await.expect_error("TN001", "select * from orders").await;
}

#[tokio::test]
async fn by_discarding_it() {
    let db = shop("discard").await;
    let app = db.app().await;
    app.run(&format!("set app.tenant = '{A}'")).await;
    app.run("discard all").await;
    assert_eq!(app.value("select count(*) from stock_orders").await.as_deref(), Some("0"), "stock: it is gone");
    app.refused_inside("25001", A, "discard all").await;
    for part in ["discard plans", "discard temp", "discard sequences"] {
        assert_eq!(
            app.inside_value(A, &format!("{part}; select tenant.current_id()")).await.as_deref(),
            Some(A),
            "{part}"
        );
    }
}
