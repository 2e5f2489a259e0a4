//! A tenant does not learn what others have and do from plans that count hidden rows, sizes, counters, locks or
//! activity.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, shop};

/// Each told on a stock table, refused in a tenant's transaction where side channels are refused, and but for EXPLAIN
/// hidden where they are hidden: `hidden_shows_through.rs`. `{t}` is the table.
pub const TELL: &[&str] = &[
    "explain select * from {t}",
    "explain (analyze, costs off) select * from {t}",
    "explain verbose delete from {t}",
    "prepare p as select * from {t}; explain execute p",
    "do $$ declare l text; begin for l in execute 'explain select * from {t}' loop null; end loop; end $$",
    "select pg_relation_size('{t}')", // one argument: a SQL function that is inlined
    "select pg_relation_size('{t}'::regclass, 'main')",
    "select pg_table_size('{t}'), pg_indexes_size('{t}')",
    "select pg_total_relation_size('{t}')",
    "select pg_database_size(current_database())",
    "select n_live_tup from pg_stat_user_tables where relname = '{t}'",
    "select * from pg_statio_user_tables",
    "select * from pg_stat_user_indexes",
    "select pg_stat_get_live_tuples('{t}'::regclass)",
    "select query from pg_stat_activity",
    "select * from pg_locks",
    "select * from pg_stat_database",
    "select * from pg_stat_wal",
    "select * from pg_stat_progress_vacuum",
    "select * from pg_prepared_xacts",
    "select pg_blocking_pids(pg_backend_pid())",
    "select * from (select count(*) from pg_stat_activity offset 0) s",
    "select 1 where exists (select from pg_stat_activity)",
    "do $$ begin perform pg_table_size('{t}'); end $$",
    "do $$ declare n bigint; begin n := pg_table_size('{t}'); end $$",
    "select sum(pg_table_size(oid)) from pg_class",
    "create view pg_temp.v as select * from pg_stat_activity; select * from pg_temp.v",
    "select pg_notification_queue_usage()",
    "select pg_sequence_last_value('numbers')",
    "select * from pg_sequences",
];

#[tokio::test]
async fn tell_of_other_tenants() {
    let db = shop("tell").await;
    db.refuse_side_channels().await;
    let owner = db.owner().await;
    owner.run("create sequence numbers; select nextval('numbers')").await;
    let app = db.app().await;
    // The hole, as a number: what the policy hides, EXPLAIN counts.
    app.run(&format!("begin; set local app.tenant = '{A}'")).await;
    let plan = app.rows("explain (analyze, costs off, timing off, summary off) select * from stock_orders").await;
    assert!(plan.iter().flatten().flatten().any(|line| line.contains("Rows Removed by Filter: 2")), "{plan:?}");
    app.run("rollback").await;
    for tell in TELL.iter().filter(|tell| !tell.contains("pg_temp")) {
        app.run(&format!("begin; set local app.tenant = '{A}'; {}; rollback", tell.replace("{t}", "stock_orders")))
            .await;
        app.run("deallocate all").await;
        let refused = app.refused_inside("TN062", A, &tell.replace("{t}", "orders")).await; // TN062
        assert!(refused.detail().is_some() && refused.hint().is_some_and(|h| h.contains("side_channels")), "{tell}");
        app.run("deallocate all").await;
    }
}

/// As above, from this major on.
const TELL_FROM: &[(u32, &str)] = &[(17, "select * from pg_available_wal_summaries()"), (17, ABSENT)];
const ABSENT: &str = "select * from pg_wal_summary_contents(1, '0/0', '0/1')";

#[tokio::test]
async fn tell_of_them_since() {
    let db = shop("tell_since").await;
    db.refuse_side_channels().await;
    let app = db.app().await;
    let major = app.value("select current_setting('server_version_num')::int / 10000").await;
    let major: u32 = major.and_then(|major| major.parse().ok()).expect("a major");
    for (_, tell) in TELL_FROM.iter().filter(|(since, _)| *since <= major) {
        // Whoever is connected is answered: here, that there is no such summary.
        if *tell == ABSENT {
            drop(app.expect_error("58P01", tell).await)
        } else {
            app.run(tell).await
        }
        app.refused_inside("TN062", A, tell).await; // TN062
    }
}

/// How many plans the client was told, with their estimates, since the last call.
fn plans_told(session: &Session) -> usize {
    let told = |plan: &str| plan.contains("plan_rows");
    session.notices().iter().filter(|notice| notice.detail().is_some_and(told)).count()
}

#[tokio::test]
async fn tell_in_the_servers_log() {
    let db = shop("hears").await;
    let app = db.app().await;
    let log = "set local client_min_messages = log";
    let asks = format!("set local debug_print_plan = on; {log}");
    app.run(&format!("begin; set local app.tenant = '{A}'; {asks}; select * from stock_orders; rollback")).await;
    assert_eq!(plans_told(&app), 1);
    // Asked for in the transaction, by a command or by the statement itself; auto_explain speaks when a cursor closes.
    let set_config = "select set_config('client_min_messages', 'debug1', true), * from orders";
    for asked in [log, set_config, &format!("declare c cursor for select * from orders; {log}; close c")] {
        let refused = app.refused_inside("TN062", A, asked).await; // TN062
        assert!(refused.hint().is_some_and(|hint| hint.contains("client_min_messages = notice")), "{refused:?}");
    }
    // By an expression that is no statement: the next one is not planned.
    let expression = "do $$ declare level text; begin
        level := set_config('client_min_messages', 'log', true);
        perform from orders;
    end $$";
    app.refused_inside("TN062", A, &format!("set local debug_print_plan = on; {expression}")).await;
    assert_eq!(plans_told(&app), 0);
    // Before it is entered.
    for level in ["log", "debug1", "debug5"] {
        app.run(&format!("set client_min_messages = {level}; select 1; begin")).await;
        app.expect_error("TN062", &format!("select tenant.enter('{A}')")).await;
        app.run("rollback").await;
    }
    app.run("set client_min_messages = notice").await;
    app.inside(A, "set local debug_print_plan = on; select * from orders").await;
    assert_eq!(plans_told(&app), 0);
    db.superuser().await.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await;
    let app = db.app().await;
    app.inside(A, &format!("{asks}; select * from orders")).await;
    assert_eq!(plans_told(&app), 1);
}

#[tokio::test]
async fn tell_the_dba_nothing() {
    let db = shop("told").await;
    db.refuse_side_channels().await;
    let (owner, app, boss) = (db.owner().await, db.app().await, db.superuser().await);
    owner.run("create sequence numbers").await;
    // With no tenant, statements on other tables and the catalog's own questions are answered.
    for tell in TELL.iter().filter(|t| !t.contains("execute") && !t.contains("explain") && !t.contains("pg_temp")) {
        owner.run(&tell.replace("{t}", "orders")).await;
    }
    boss.run("explain analyze select * from orders; select * from pg_stat_activity").await;
    // What drivers and ORMs ask inside a tenant.
    for ask in [
        "select pg_get_serial_sequence('orders', 'id'), pg_get_viewdef('pg_stats'::regclass) is not null",
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid)
            from pg_class c join pg_attribute a on a.attrelid = c.oid left join pg_attrdef d on d.adrelid = c.oid",
        "select pg_get_constraintdef(oid), pg_get_indexdef(conindid), obj_description(oid) from pg_constraint",
        "select * from information_schema.columns where table_name = 'orders'",
        "select * from information_schema.table_constraints",
        "select * from pg_settings; select * from pg_indexes; select * from pg_tables",
        "select nextval('numbers'), currval('numbers'), lastval()",
        "select txid_current(), pg_current_xact_id(), pg_backend_pid(), current_setting('server_version')",
        "select id, xmin, ctid from orders",
        "select pg_advisory_unlock_all(), pg_column_size(orders) from orders",
        "select count(*) from pg_cursors; select count(*) from pg_prepared_statements",
    ] {
        db.superuser().await.run(&format!("grant usage on sequence numbers to {}", db.roles.app)).await;
        app.inside(A, ask).await;
    }
    // PostgreSQL's own answer: no statistics of a table under row-level security.
    boss.run("analyze orders, stock_orders").await;
    assert_eq!(
        app.inside_value(A, "select count(*) from pg_stats where tablename = 'orders'").await.as_deref(),
        Some("0")
    );
}

#[tokio::test]
async fn tell_whom_the_dba_trusts() {
    let db = shop("trusted").await;
    let app = db.app().await;
    app.expect_error("42501", "set pg_tenant.side_channels = allow").await;
    db.superuser().await.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await;
    let app = db.app().await;
    for tell in ["explain select * from orders", "select pg_table_size('orders')", "select * from pg_stat_activity"] {
        app.inside(A, tell).await;
    }
}
