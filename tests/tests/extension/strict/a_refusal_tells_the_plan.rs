//! A refusal names the table that the plan has first, and so tells which of them has more rows, of all tenants.

use pg_tenant_tests::Cluster;

/// The costliest part of a parallel Append goes first.
const PARALLEL: &str = "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0";

const BOTH: &str =
    "select id from orders where note like '%x%' union all select id from invoices where note like '%x%'";

#[tokio::test]
async fn of_two_tables() {
    let db = Cluster::shared().database("plan_order").await;
    let dba = db.superuser().await;
    dba.run(
        "create table orders (tenant_id text, id int, note text) with (parallel_workers = 0);
         create table invoices (like orders) with (parallel_workers = 0);
         grant select on orders, invoices to public;
         select tenant.protect('orders'), tenant.protect('invoices')",
    )
    .await;
    let app = db.app().await;
    app.run(PARALLEL).await;
    // The plan of the application, which may not see it itself.
    dba.run(&format!("set pg_tenant.guards = off; set pg_tenant.strict = off; {PARALLEL}")).await;
    let explain = format!("set role {}; explain (costs off) {BOTH}; reset role", db.roles.app);
    let (mut first, mut said) = (Vec::new(), Vec::new());
    for large in ["orders", "invoices"] {
        dba.run(&format!(
            "truncate orders, invoices;
             insert into orders select 'globex', n, 'note' from generate_series(1, 100) n;
             insert into invoices table orders;
             insert into {large} select 'globex', n, 'note' from generate_series(1, 20000) n;
             analyze orders, invoices"
        ))
        .await;
        let mut plan = dba.rows(&explain).await.into_iter().flatten().flatten();
        first.push(
            plan.find(|line| line.contains("Scan")).and_then(|line| line.split(" on ").nth(1).map(str::to_owned)),
        );
        said.push(app.expect_error("TN001", BOTH).await.message().to_owned());
    }
    assert_ne!(first[0], first[1], "this test shows nothing: the plans are alike");
    assert_eq!(said[0], said[1], "the refusal tells them apart");
    // Nor does the order in which they are written matter.
    let turned = "select from invoices, orders";
    assert_eq!(app.expect_error("TN001", turned).await.message(), said[0]);
}
