//! A statement reaches a protected table with no tenant, and nobody says so: each kind of statement, in each mode of
//! `pg_tenant.strict`. A policy alone answers with no rows, which an application takes for an empty table.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

/// Statements of the application. `{t}` is the table, `{b}` the other tenant.
const PATHS: &[&str] = &[
    "select * from {t}",
    "table {t}",
    "select count(*) from {t} where false",
    "select 1 where exists (select from {t})",
    "select (select max(id) from {t})",
    "with c as (select * from {t}) select 1 from c",
    "with c as materialized (select id from {t}) select * from c",
    "select * from only {t} limit 0",
    "select * from generate_series(1, 0) g left join {t} on true",
    "select * from {t} for update",
    "select * from {t} tablesample system (100)",
    "insert into {t} (tenant_id, id) values ('{b}', 90)",
    "insert into {t} (tenant_id, id) values ('{b}', 4) on conflict do nothing",
    "insert into {t} (tenant_id, id) values ('{b}', 4) on conflict (id) do update set note = 'x' returning note",
    "insert into {t} select * from {t}",
    "with i as (insert into {t} (tenant_id, id) values ('{b}', 91) returning *) select * from i",
    "update {t} set note = 'x'",
    "update {t} set note = 'x' where false",
    "delete from {t} returning *",
    "delete from {t} using generate_series(4, 5) g where id = g",
    "merge into {t} using (values (4)) v (id) on {t}.id = v.id when matched then delete",
    "merge into {t} using (values (99)) v (id) on {t}.id = v.id when not matched then do nothing",
    "explain select * from {t}",
    "explain (analyze) delete from {t}",
    "prepare p as select * from {t}; execute p",
    "declare c cursor for select * from {t}",
    "declare c scroll cursor for select id from {t} order by id; fetch last from c",
    "create temp table copied on commit drop as table {t}",
    "do $$ begin perform * from {t}; end $$",
    "do $$ declare n int; begin select count(*) into n from {t}; end $$",
    "do $$ declare n int; begin n := (select count(*) from {t}); end $$",
    "do $$ declare r record; begin for r in select * from {t} loop null; end loop; end $$",
    "do $$ begin execute 'delete from {t}'; end $$",
    "select * from {t}_view",
    "select * from {t}_invoker",
    "insert into {t}_view (tenant_id, id) values ('{b}', 92)",
    "delete from {t}_invoker",
    "select {t}_sql()",
    "select {t}_plpgsql()",
    "select {t}_definer()",
    "select * from {t}_rows()",
    "call {t}_procedure()",
    "select 1 from pg_class where relname = 'x' and exists (select from {t})",
];

/// Around the table, all the owner's: views, functions, a procedure.
async fn prepare(db: &Database<'_>, t: &str) {
    let sql = "create view {t}_view as table {t};
        create view {t}_invoker with (security_invoker) as table {t};
        create function {t}_sql() returns bigint language sql as $$ select count(*) from {t} $$;
        create function {t}_plpgsql() returns bigint language plpgsql as $$ begin return (select count(*) from {t}); end $$;
        create function {t}_definer() returns bigint language sql security definer as $$ select count(*) from {t} $$;
        create function {t}_rows() returns setof {t} language sql stable as $$ table {t} $$;
        create procedure {t}_procedure() language plpgsql as $$ begin delete from {t} where id < 0; end $$;";
    db.owner().await.run(&sql.replace("{t}", t)).await;
}

fn on(path: &str, t: &str) -> String {
    path.replace("{t}", t).replace("{b}", B)
}

async fn strict(db: &Database<'_>, mode: &str) -> Session {
    db.superuser().await.run(&format!("alter database {} set pg_tenant.strict = {mode}", db.name)).await;
    db.app().await
}

#[tokio::test]
async fn is_silent() {
    let db = shop("paths").await;
    for t in ["orders", "stock_orders"] {
        prepare(&db, t).await;
    }
    let app = strict(&db, "on").await;
    for path in PATHS {
        // Stock PostgreSQL: no error, or that of a row that the policy does not let in.
        let stock = app.batch_execute(&format!("begin; {}", on(path, "stock_orders"))).await;
        let code = stock.err().and_then(|e| e.code().map(|c| c.code().to_owned())).unwrap_or_default();
        assert!(["", "42501"].contains(&code.as_str()), "stock: {path}: {code}");
        app.run("rollback; deallocate all").await;

        let error = app.expect_error("TN001", &format!("begin; {}", on(path, "orders"))).await;
        assert!(error.message().contains("public.orders") && error.hint().is_some(), "{path}: {error:?}");
        app.run("rollback; deallocate all").await;
    }
    let app = strict(&db, "log").await;
    for path in PATHS.iter().filter(|path| !path.contains("insert into")) {
        app.notices();
        app.run(&format!("begin; {}", on(path, "orders"))).await;
        let warned = app.notices().iter().any(|n| n.code().code() == "TN001" && n.severity() == "WARNING");
        assert!(warned, "log: {path}: no warning");
        app.run("rollback; deallocate all").await;
    }
    let app = strict(&db, "off").await;
    for path in PATHS {
        app.notices();
        // Policies hold in every mode: nothing is read, and no row gets in (42501).
        let done = app.batch_execute(&format!("begin; {}", on(path, "orders"))).await;
        let code = done.err().and_then(|e| e.code().map(|c| c.code().to_owned())).unwrap_or_default();
        assert!(["", "42501"].contains(&code.as_str()), "off: {path}: {code}");
        assert_eq!(app.notices().len(), 0, "off: {path}");
        app.run("rollback; deallocate all").await;
    }
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("0"));
    assert_eq!(db.superuser().await.value("select count(*) from orders").await.as_deref(), Some("5"));
}

#[tokio::test]
async fn is_open_to_whoever_has_a_tenant() {
    let db = shop("inside").await;
    prepare(&db, "orders").await;
    let allow = format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app); // EXPLAIN
    db.superuser().await.run(&allow).await;
    let app = db.app().await;
    for path in PATHS {
        app.run(&format!("begin; select tenant.enter('{A}')")).await;
        let done = app.batch_execute(&on(path, "orders")).await;
        let code = done.err().and_then(|e| e.code().map(|c| c.code().to_owned())).unwrap_or_default();
        // Writes of another tenant's row are refused by the policy, all else is about three rows.
        assert!(["", "42501", "23505"].contains(&code.as_str()), "{path}: {code}");
        app.run("rollback; deallocate all").await;
    }
    for path in [
        "select count(*) from orders_view",
        "select count(*) from orders_invoker",
        "select orders_definer()",
        "select orders_sql()",
    ] {
        assert_eq!(app.inside_value(A, path).await.as_deref(), Some("3"), "{path}");
    }
}

#[tokio::test]
async fn is_copy() {
    let db = shop("copy").await;
    let copy = |role: &str, sql: &str| db.psql(role, &format!("\\set VERBOSITY sqlstate\n{sql}"));
    let app = &db.roles.app;
    for sql in ["copy orders to stdout;", "copy (table orders) to stdout;", "copy orders (id) from stdin;\n9\n\\.\n"] {
        let out = copy(app, sql);
        assert!(!out.ok && out.stderr.contains("TN001"), "{sql} {out:?}");
    }
    let inside = |sql: &str| copy(app, &format!("begin;\nselect tenant.enter('{A}') \\g /dev/null\n{sql}\ncommit;"));
    assert_eq!(inside("copy orders to stdout;").expect("copy to").lines().count(), 3);
    assert_eq!(inside("copy (table orders) to stdout;").expect("copy to").lines().count(), 3);
    // COPY … FROM under row-level security is PostgreSQL's own refusal.
    assert!(inside("copy orders (id) from stdin;\n9\n\\.\n").stderr.contains("0A000"));
}

#[tokio::test]
async fn is_a_statement_planned_before_the_table_was_protected() {
    let db = shop("planned").await;
    let owner = db.owner().await;
    owner
        .run(&format!("create table late (tenant_id uuid, n int); insert into late values ('{A}', 1), ('{B}', 2)"))
        .await;
    let app = db.app().await;
    app.run("set plan_cache_mode = force_generic_plan").await;
    let read = app.prepare("select n from late").await.expect("prepare");
    let write = app.prepare("update late set n = n").await.expect("prepare");
    app.run("create function pg_temp.f() returns bigint language plpgsql as $$ begin return (select sum(n) from late); end $$").await;
    assert_eq!(app.query(&read, &[]).await.expect("read").len(), 2, "both tenants' rows");
    assert_eq!(app.value("select pg_temp.f()").await.as_deref(), Some("3"));
    app.execute(&write, &[]).await.expect("write");
    app.run("begin; declare c cursor for select n from late; fetch c").await;
    db.superuser().await.expect_error("55P03", "set lock_timeout = '20ms'; select tenant.protect('late')").await;
    app.run("commit").await;

    db.superuser().await.run("select tenant.protect('late')").await;
    for statement in [&read, &write] {
        let error = app.query(statement, &[]).await.expect_err("no tenant");
        assert_eq!(error.code().map(|c| c.code()), Some("TN001"));
    }
    app.expect_error("TN001", "select pg_temp.f()").await;
    app.run(&format!("begin; select tenant.enter('{B}')")).await;
    let rows = app.query(&read, &[]).await.expect("read");
    assert_eq!((rows.len(), rows[0].get::<_, i32>(0)), (1, 2));
    assert_eq!(app.execute(&write, &[]).await.expect("write"), 1);
    assert_eq!(app.value("select pg_temp.f()").await.as_deref(), Some("2"));
    app.run("commit").await;
}

#[tokio::test]
async fn is_a_cursor() {
    let db = shop("cursor").await;
    let app = db.app().await;
    app.run(&format!(
        "begin; select tenant.enter('{A}'); declare c cursor for select * from orders for update; fetch 2 from c"
    ))
    .await;
    app.run("delete from orders where current of c").await;
    assert_eq!(app.value("select string_agg(id::text, ' ' order by id) from orders").await.as_deref(), Some("1 3"));
    assert_eq!(app.rows("fetch all from c").await.len(), 1);
    app.run("rollback").await;
    // Opened inside the savepoint that is undone, it is gone with the tenant.
    app.run(&format!(
        "begin; savepoint s; select tenant.enter('{A}'); declare c cursor for table orders; rollback to s"
    ))
    .await;
    app.expect_error("34000", "fetch all from c").await;
    app.run("rollback").await;
}
