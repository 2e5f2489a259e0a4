//! A method of TABLESAMPLE that an extension brings sees rows before the fence does: of n rows of everybody's, how many
//! are one's own tells how many others there are.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, shop};

const SAMPLES: &[&str] = &[
    "select count(*) from TABLE tablesample tools.system_rows(3)",
    "select * from (select * from TABLE tablesample tools.system_rows(3)) s offset 0",
    "select 1 where exists (select from TABLE tablesample tools.system_rows(3))",
    "with s as materialized (select * from TABLE tablesample tools.system_rows(3)) select count(*) from s",
    "select count(*) from TABLE_view",
    "select TABLE_count()",
    "delete from TABLE where id in (select id from TABLE tablesample tools.system_rows(3))",
    "do $$ begin perform from TABLE tablesample tools.system_rows(3); end $$",
];

#[tokio::test]
async fn rows_of_everybody() {
    if Install::current().lacks("tsm_system_rows") {
        return;
    }
    let db = shop("sampled").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run(
        "create schema tools; create extension tsm_system_rows schema tools; grant usage on schema tools to public",
    )
    .await;
    for table in ["stock_orders", "orders"] {
        let sample = format!("{table} tablesample tools.system_rows(3)");
        db.owner()
            .await
            .run(&format!(
                "create view {table}_view with (security_invoker = true) as select * from {sample};
                 grant select on {table}_view to public; grant all on {table} to public;
                 create function {table}_count() returns bigint language sql stable as 'select count(*) from {sample}'"
            ))
            .await;
    }
    // The hole: of three rows three, two or one are one's own, as the others' rows stand between them.
    app.run(&format!("begin; set local app.tenant = '{A}'")).await;
    let mut seen = Vec::new();
    for n in 1..=5 {
        let sample = format!("select count(*) from stock_orders tablesample tools.system_rows({n})");
        seen.push(app.value(&sample).await.and_then(|n| n.parse::<u32>().ok()).expect("a number"));
    }
    assert!(seen[2] < 3 || seen[1] < 2 || seen[3] == 3, "{seen:?}");
    app.run("rollback").await;
    for sample in SAMPLES {
        app.run(&format!("begin; set local app.tenant = '{A}'; {}; rollback", sample.replace("TABLE", "stock_orders")))
            .await;
        let ours = sample.replace("TABLE", "orders");
        let refused = app.refused_inside("TN062", A, &ours).await; // TN062
        assert!(refused.message().contains("TABLESAMPLE"), "{refused:?}");
        app.expect_error("TN001", &ours).await;
    }
    // A plan that was made with no tenant is not kept for one.
    app.run("prepare p as select count(*) from orders tablesample tools.system_rows(3)").await;
    for _ in 0..6 {
        app.expect_error("TN001", "execute p").await;
    }
    app.refused_inside("TN062", A, "execute p").await;
    // The neighbours: PostgreSQL's own methods, tables that nobody protects, a superuser, and who is allowed.
    for method in ["system(100)", "bernoulli(100) repeatable (7)"] {
        let own = format!("select count(*) from orders tablesample {method}");
        assert_eq!(app.inside_value(A, &own).await.as_deref(), Some("3"));
    }
    db.owner().await.run("create table free as select 1 as id; grant select on free to public").await;
    app.inside(A, "select * from free tablesample tools.system_rows(1)").await;
    assert_eq!(boss.value("select count(*) from orders tablesample tools.system_rows(5)").await.as_deref(), Some("5"));
    boss.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await;
    db.app().await.inside(A, "select count(*) from orders tablesample tools.system_rows(5)").await;
}
