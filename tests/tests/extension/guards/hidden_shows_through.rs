//! What is hidden in a tenant shows through: in some place of a statement, by a plan that is kept, by the function that
//! stands in for the others.

use pg_tenant_tests::shop::{A, B, shop};

use super::side_channels::TELL;

const NULL: Option<&str> = None;
const NO_ROWS: &str = "0";

/// Wherever a statement has expressions; what comes is nothing, or 0 rows, or said beside it.
const PLACES: &[(&str, Option<&str>)] = &[
    ("select pg_table_size('orders')", NULL),
    ("select pg_relation_size('orders')", NULL), // a SQL function that would be inlined
    ("select size_of('orders')", NULL),
    ("select sum(pg_table_size(oid)) from pg_class", NULL),
    ("select count(*) from pg_class where pg_table_size(oid) >= 0", Some(NO_ROWS)),
    ("select count(*) from pg_class group by pg_table_size(oid)", Some("all")),
    ("select distinct pg_table_size(oid) from pg_class", NULL),
    (
        "select max(size) from (select pg_table_size(oid) as size from pg_class order by pg_table_size(oid) offset 0) s",
        NULL,
    ),
    ("with s as materialized (select pg_table_size(oid) as size from pg_class) select max(size) from s", NULL),
    ("select (select max(pg_table_size(c.oid)) from pg_class c where c.oid = o.oid) from pg_class o limit 1", NULL),
    ("select max(x) from (values (pg_table_size('orders')), (pg_database_size(current_database()))) v (x)", NULL),
    ("select max(n) from pg_class c, lateral pg_table_size(c.oid) n", NULL),
    ("select count(*) from pg_class c join pg_class d on pg_table_size(c.oid) = pg_table_size(d.oid)", Some(NO_ROWS)),
    ("select sum(pg_table_size(oid)) over (order by pg_table_size(oid)) from pg_class limit 1", NULL),
    ("select count(*) from generate_series(1, 5) limit pg_table_size('orders')", Some("5")),
    ("insert into orders (id, note) values (70, pg_table_size('orders')::text) returning note", NULL),
    ("update orders set note = pg_table_size('orders')::text returning note || pg_table_size('orders')", NULL),
    ("select count(*) from pg_stat_activity", Some("1")),
    ("select count(*) from activity()", Some("1")),
    ("select count(*) from pg_stat_get_activity(null) where pid <> pg_backend_pid()", Some(NO_ROWS)),
    ("select count(*) from pg_stat_get_activity(pg_backend_pid())", Some("1")),
    ("select count(*) from pg_stat_get_activity(1)", Some(NO_ROWS)),
    (
        "select count(*) from rows from (pg_stat_get_activity(null), pg_lock_status()) with ordinality r where locktype is not null",
        Some("some"),
    ),
    (
        "select count(*) from pg_locks where pid is distinct from pg_backend_pid() or fastpath is not null",
        Some(NO_ROWS),
    ),
    ("select count(*) from pg_stat_get_backend_idset()", Some(NO_ROWS)),
    ("select count(*) from (select pg_stat_get_backend_idset()) s", Some(NO_ROWS)),
    ("select archived_count from pg_stat_archiver", NULL),
    ("select max(n_live_tup + seq_scan) from pg_stat_all_tables", NULL),
    ("select pg_blocking_pids(pg_backend_pid())", NULL),
    ("select max(last_value) from pg_sequences", NULL),
];

#[tokio::test]
async fn in_some_place_of_a_statement() {
    let db = shop("places").await;
    db.owner()
        .await
        .run(
            "create sequence numbers; select nextval('numbers');
             create function size_of(regclass) returns bigint language sql as 'select pg_table_size($1)';
             create function activity() returns setof pg_stat_activity stable language sql as 'select * from pg_stat_activity'",
        )
        .await;
    let app = db.app().await;
    let held = db.superuser().await;
    held.run("begin; lock table orders in share mode").await;
    held.run("rollback").await;
    for &(sql, expected) in PLACES {
        // With no tenant, what can be read without one tells, and its plan can be shown.
        if !sql.contains("into orders") && !sql.contains("update orders") {
            app.run(sql).await;
            app.run(&format!("explain (verbose, costs off) {sql}")).await;
        }
        let script = format!("begin; select tenant.enter('{A}'); {sql}; rollback");
        let rows = app.rows(&script).await.split_off(1);
        let first = rows.first().and_then(|row| row[0].as_deref());
        match expected {
            Some("all" | "some") => assert!(first.is_some(), "{sql}"),
            _ => assert_eq!(first, expected, "{sql}"),
        }
        assert!(sql.contains("returning") || rows.len() == 1, "{sql}: {rows:?}");
    }
    for tell in TELL.iter().filter(|tell| !tell.contains("explain") && !tell.contains("pg_temp")) {
        app.inside(A, &tell.replace("{t}", "orders")).await;
    }
    for explain in TELL.iter().filter(|tell| tell.starts_with("explain")) {
        app.refused_inside("TN062", A, &explain.replace("{t}", "orders")).await;
    }
}

/// A serializable transaction locks the rows that an index led it to, before any policy is asked.
#[tokio::test]
async fn by_a_lock_of_ones_own() {
    let db = shop("passed_by").await;
    let read = format!(
        "begin isolation level serializable; set local enable_seqscan = off; set local enable_bitmapscan = off;
         select tenant.enter('{A}'); select count(*) from orders where id = 5; select count(*) from pg_locks where locktype = 'tuple'; rollback"
    );
    let passed = async || db.app().await.rows(&read).await.pop().and_then(|mut row| row.swap_remove(0));
    assert_eq!(passed().await.as_deref(), Some("0"));
    db.superuser().await.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await;
    assert_eq!(passed().await.as_deref(), Some("1"), "the hole: another's row, which it does not see");
}

/// A worker asks as its leader would.
#[tokio::test]
async fn by_a_worker() {
    let db = shop("worker").await;
    let app = db.app().await;
    let workers = "set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0;
        set local min_parallel_table_scan_size = 0; set local jit_above_cost = 0";
    let read = "select max(pg_relation_size(oid)), count(*) > 100 from pg_class where pg_relation_size(oid) is null or oid > 0";
    let plan = app.rows(&format!("begin; {workers}; explain (analyze, costs off) {read}; rollback")).await.concat();
    assert!(
        plan.iter().flatten().any(|line| line.contains("Workers Launched: ") && !line.ends_with(": 0")),
        "{plan:?}"
    );
    let told = app.inside(A, &format!("{workers}; {read}")).await;
    assert_eq!(told, [[None, Some("t".to_owned())]]);
}

#[tokio::test]
async fn by_a_plan_that_is_kept() {
    let db = shop("kept_plans").await;
    let app = db.app().await;
    app.run("set plan_cache_mode = force_generic_plan; prepare p as select pg_table_size('orders'), count(*) from pg_stat_activity").await;
    let own = [[None, Some("1".to_owned())]];
    for tenant in [A, B] {
        let told = app.rows("execute p").await.swap_remove(0);
        assert!(told[0].is_some() && told[1].as_deref() != Some("1"), "{told:?}");
        assert_eq!(app.inside(tenant, "execute p").await, own);
    }
    // The plan goes with the function that stands in it.
    db.superuser().await.run("drop extension pg_tenant cascade").await;
    assert!(app.value("select pg_table_size('orders')").await.is_some());
    assert!(app.rows("execute p").await[0][0].is_some());
}

/// It stands in plans only, and has the rights that the other has.
#[tokio::test]
async fn by_the_function_that_stands_in() {
    let db = shop("stand_in").await;
    let (app, boss) = (db.app().await, db.superuser().await);
    for (code, call) in [
        ("42883", "select tenant_internal.hidden(null, 1)"),
        ("42883", "select tenant_internal.hidden('pg_table_size(regclass)'::regprocedure, 'orders'::regclass)"),
        ("42883", "select * from tenant_internal.hidden_set('pg_lock_status()'::regprocedure, null::int)"),
        ("42883", "select tenant_internal.hidden('pg_read_file(text)'::regprocedure::oid, 'PG_VERSION'::text)"),
        ("42846", "select tenant_internal.hidden(2022::internal, 1)"),
    ] {
        // Who may not name what is internal stops there; a superuser stops at the type.
        let refused = if code == "42846" { code } else { "42501" };
        app.expect_error(refused, call).await;
        app.refused_inside(refused, A, call).await;
        boss.expect_error(code, call).await;
    }
    boss.run("revoke execute on function pg_table_size(regclass), pg_lock_status() from public").await;
    for call in ["select pg_table_size('orders')", "select * from pg_locks"] {
        app.expect_error("42501", call).await;
        db.superuser_inside(A, call).await;
    }
    // Who is told nothing needs no right.
    assert_eq!(app.inside_value(A, "select pg_table_size('orders')").await, None);
    app.refused_inside("42501", A, "select * from pg_locks").await;
}

/// What the plan pass does not see is refused, not told.
#[tokio::test]
async fn where_nobody_looks() {
    let db = shop("unseen").await;
    db.owner()
        .await
        .run(
            "create table log (id int, check (pg_table_size('orders') > id)); create table small (n bigint, bytes bigint default pg_table_size('orders'));
             create procedure noted(bigint) language sql as 'select 1';
             create domain sized as int check (value < pg_database_size(current_database()))",
        )
        .await;
    let app = db.app().await;
    for call in [
        "insert into log values (1)",
        "select 1::sized",
        "prepare p as select $1::bigint; execute p(pg_table_size('orders'))",
        "copy small (n) from stdin",
        "select (pg_stat_get_archiver()).archived_count",
        "select pg_stat_get_activity(null)",
        "call noted(pg_table_size('orders'))",
    ] {
        app.refused_inside("TN062", A, call).await; // TN062
    }
    // Defaults are part of the statement.
    assert_eq!(app.inside_value(A, "insert into small values (1) returning bytes").await, None);
}
