//! A function that nobody has judged: a new major, or a new version of a module of contrib, brings one that may tell of
//! other tenants. Whoever adds it to `judged/` has looked at what it does; else it is refused, in
//! `guard/function/list.rs`.

use std::collections::BTreeSet;

use pg_tenant_tests::shop::{A, shop};
use pg_tenant_tests::{Cluster, Session};

const LIST: &str = include_str!("../../../../pg_tenant/src/guard/function/list.rs");
const BUILTIN: &str = include_str!("judged/builtin.txt");
const CONTRIB: &str = include_str!("judged/contrib.txt");

/// The patterns that the guards refuse: PostgreSQL's own names, and C symbols.
fn refused() -> (Vec<&'static str>, Vec<&'static str>) {
    let list = LIST.split_once("const BUILTIN").expect("the lists").1;
    let list = list.split_once("/// What PostgreSQL").expect("the end of the lists").0;
    let (builtin, symbols) = list.split_once("const SYMBOLS").expect("the second list");
    let quoted = |text: &'static str| text.split('"').skip(1).step_by(2).collect();
    (quoted(builtin), quoted(symbols))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
    }
}

fn words(text: &'static str) -> BTreeSet<&'static str> {
    text.lines().filter(|line| !line.starts_with("--")).flat_map(str::split_whitespace).collect()
}

async fn names(session: &Session, sql: &str) -> Vec<String> {
    session.rows(sql).await.into_iter().flatten().flatten().collect()
}

fn judge(names: &[String], patterns: &[&str], judged: &BTreeSet<&str>) {
    let is_refused = |name: &str| patterns.iter().any(|pattern| matches(pattern, name));
    let unjudged: Vec<_> = names.iter().filter(|n| !is_refused(n) && !judged.contains(n.as_str())).collect();
    assert!(unjudged.is_empty(), "nobody has judged {unjudged:?}");
    let twice: Vec<_> = judged.iter().filter(|name| is_refused(name)).collect();
    assert!(twice.is_empty(), "judged harmless, and refused: {twice:?}");
}

#[tokio::test]
async fn of_postgresql_itself() {
    let boss = Cluster::shared().superuser().await;
    let all = names(
        &boss,
        "select distinct proname from pg_proc where oid < 16384 and prolang in (12, 13)
            and (provolatile = 'v' or proname like 'pg\\_%')",
    )
    .await;
    assert!(all.len() > 300);
    judge(&all, &refused().0, &words(BUILTIN));
}

#[tokio::test]
async fn of_contrib() {
    let db = Cluster::shared().plain_database("contrib_judged").await;
    let boss = db.superuser().await;
    // Those of the server's own source: others' extensions are not ours to judge.
    boss.run(
        "set client_min_messages = error;
         do $$ declare e name; begin
            for e in select name from pg_available_extensions where name not in ('pg_tenant', 'vector', 'vectorscale', 'pg_search', 'pg_textsearch') loop
                begin
                    execute format('create extension if not exists %I cascade', e);
                exception when undefined_file or feature_not_supported then end; -- without its library
            end loop;
         end $$",
    )
    .await;
    let all = names(
        &boss,
        "select distinct p.prosrc from pg_proc p
            join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
         where p.prolang = 13 and (p.provolatile <> 'i' or p.prorettype in ('trigger'::regtype, 'tsm_handler'::regtype))",
    )
    .await;
    // What PostgreSQL hands to the support functions of an index or of an operator, nobody else has.
    let internal = names(
        &boss,
        "select distinct p.prosrc from pg_proc p where p.oid >= 16384 and p.prolang = 13
            and ('internal'::regtype = any (p.proargtypes) or p.prorettype = 'internal'::regtype)",
    )
    .await;
    let all: Vec<_> = all.into_iter().filter(|name| !internal.contains(name)).collect();
    // A server that was built without contrib has PL/pgSQL and nothing else.
    let contrib = boss.value("select count(*) from pg_available_extensions where name = 'tcn'").await;
    assert!(contrib.as_deref() == Some("0") || all.len() > 50, "{all:?}");
    judge(&all, &refused().1, &words(CONTRIB));
}

/// Some of those that were let pass once, with the module that brings them; each does something with no tenant, or says
/// 42501 to who is no superuser.
const CALLS: &[(&str, &str, &str)] = &[
    ("", "TN063", "select pg_logical_emit_message(true, 'outbox', 'forged')"),
    ("", "TN063", "select pg_logical_emit_message(false, 'outbox', '\\x00'::bytea)"),
    ("", "TN064", "select brin_summarize_new_values('orders_brin')"),
    ("", "TN064", "select brin_summarize_range('orders_brin', 0)"),
    ("", "TN064", "select gin_clean_pending_list('orders_gin')"),
    ("", "TN064", "select pg_replication_origin_create('o')"),
    ("", "TN064", "select pg_reload_conf()"),
    ("", "TN064", "select pg_switch_wal()"),
    ("", "TN062", "select * from pg_replication_slots"),
    ("", "TN062", "select * from pg_shmem_allocations"),
    ("pg_prewarm", "TN064", "select autoprewarm_dump_now()"),
    ("pg_prewarm", "TN064", "select autoprewarm_start_worker()"),
    ("pg_prewarm", "TN062", "select pg_prewarm('orders')"),
    ("pageinspect", "TN064", "select bt_metap('orders_pkey')"),
    ("amcheck", "TN064", "select bt_index_check('orders_pkey')"),
    ("pageinspect", "TN064", "select page_header('\\x00')"),
    ("pg_visibility", "TN064", "select pg_truncate_visibility_map('orders')"),
    ("pg_surgery", "TN064", "select heap_force_kill('orders', array['(0,1)']::tid[])"),
    ("pg_visibility", "TN062", "select pg_check_visible('orders')"),
];

#[tokio::test]
async fn is_called_in_a_tenant() {
    let db = shop("judged_calls").await;
    db.refuse_side_channels().await;
    let boss = db.superuser().await;
    let modules = ["pg_prewarm", "pageinspect", "amcheck", "pg_visibility", "pg_surgery"];
    let there = names(&boss, "select name from pg_available_extensions").await;
    let here = |module: &&str| there.iter().any(|name| name == module);
    for module in modules.iter().filter(|module| here(module)) {
        boss.run(&format!("create extension {module}")).await;
    }
    boss.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
    db.owner()
        .await
        .run(
            "create index orders_brin on orders using brin (id);
             create index orders_gin on orders using gin (to_tsvector('simple', note))",
        )
        .await;
    for (_, code, call) in CALLS.iter().filter(|call| call.0.is_empty() || here(&call.0)) {
        boss.refused_inside(code, A, call).await;
    }
    // Text of SQL that a function runs is judged as a statement, and shows the tenant's own rows.
    if here(&"tablefunc") {
        boss.run("create extension tablefunc").await;
        let app = db.app().await;
        let crosstab =
            "select count(*) from crosstab('select id, ''k'', note from orders order by 1') as t (a int, b text)";
        assert_eq!(app.inside_value(A, crosstab).await.as_deref(), Some("3"));
        app.expect_error("TN001", crosstab).await;
        app.refused_inside(
            "TN062",
            A,
            "select * from crosstab('select 1, ''k'', query from pg_stat_activity') as t (a int, b text)",
        )
        .await;
    }
    let app = db.app().await;
    let words =
        "select count(*) from ts_stat('select to_tsvector(''simple'', note) from orders') where word in ('4', '5')";
    assert_eq!(app.inside_value(A, words).await.as_deref(), Some("0"));
    app.refused_inside("TN062", A, "select query_to_xml('select pg_relation_size(''orders'')', true, true, '')").await;
}
