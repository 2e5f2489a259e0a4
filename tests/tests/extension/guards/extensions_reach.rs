//! Functions of contrib modules reach other sessions' transactions and raw pages. They are known by their C symbol:
//! another schema or another name hides none.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn another_session_or_a_raw_page() {
    if Install::current().lacks("dblink pgstattuple pageinspect pgrowlocks pg_trgm pg_prewarm") {
        return;
    }
    let db = shop("contrib").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run(
        "create schema tools; grant usage on schema tools to public; create extension dblink schema tools;
         create extension pgstattuple schema tools; create extension pageinspect schema tools;
         create extension pgrowlocks schema tools; create extension pg_trgm schema tools;
         create extension pg_prewarm schema tools",
    )
    .await;
    boss.run("alter function tools.dblink_get_connections() rename to harmless").await;
    app.run("select tools.harmless()").await; // with no tenant
    for sql in ["select tools.harmless()", "select * from tools.dblink('host=/nowhere', 'select 1') as t (n int)"] {
        app.refused_inside("TN064", A, sql).await;
    }
    for (code, sql) in [
        ("TN064", "select * from tools.get_raw_page('orders', 0)"),
        ("TN064", "select * from tools.heap_page_items('x'::bytea)"),
        ("TN062", "select * from tools.pgstattuple('orders')"),
        ("TN062", "select * from tools.pgrowlocks('orders')"),
        ("TN062", "select tools.pg_prewarm('orders')"),
    ] {
        // What only tells has an answer by itself: one row of nulls, or none.
        if sql.contains("pgstattuple") || sql.contains("pgrowlocks") {
            let told = boss.inside(A, sql).await.into_iter().flatten().flatten().count();
            assert_eq!(told, 0, "{sql}");
            boss.run("set pg_tenant.side_channels = refuse").await;
        }
        boss.run(&format!(
            "begin; {}; rollback",
            sql.replace("'x'::bytea", "tools.get_raw_page('stock_orders', 0)").replace("'orders'", "'stock_orders'")
        ))
        .await;
        boss.refused_inside(code, A, sql).await;
        boss.run("reset pg_tenant.side_channels").await;
    }
    // The neighbours: other functions of extensions, and one that was replaced since it was known.
    app.inside(A, "select tools.similarity(note, 'note') from orders").await;
    boss.run("create function tools.own() returns int language sql as 'select 1'").await;
    app.inside(A, "select tools.own()").await;
    boss.run("drop function tools.own(); create function tools.own() returns setof record language c as '$libdir/dblink', 'dblink_record'").await;
    app.refused_inside("TN064", A, "select tools.own()").await;
}
