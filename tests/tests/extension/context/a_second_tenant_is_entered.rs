//! One transaction enters one tenant: the first entry seals it, so that no rows are carried from one tenant to another.

use pg_tenant_tests::shop::{A, B, shop};

/// What stands between the first entry and the attempt to enter the other tenant.
const BETWEEN: &[&str] = &[
    "select 1",
    "table orders",
    "select tenant.enter('{A}')",
    "rollback to s",
    "rollback to s; release s",
    "savepoint t; select tenant.enter('{A}'); rollback to t",
    "rollback to s; select tenant.enter('{A}'); rollback to s",
    "do $$ begin perform tenant.enter('{A}'); raise 'no'; exception when others then null; end $$; rollback to s",
    "set constraints all deferred; set transaction read only; reset all",
];

#[tokio::test]
async fn after_the_first() {
    let db = shop("sealed").await;
    let app = db.app().await;
    let copy = "create temp table loot on commit drop as select * from stock_orders";
    app.run(&format!("begin; set local app.tenant = '{A}'; {copy}; set local app.tenant = '{B}'")).await;
    assert_eq!(
        app.value("select count(*) from (table loot union all table stock_orders) t").await.as_deref(),
        Some("5"),
        "stock"
    );
    app.run("rollback").await;

    for between in BETWEEN {
        let sql = format!("begin; savepoint s; select tenant.enter('{A}'); {between}; select tenant.enter('{B}')");
        let error = app.expect_error("TN005", &sql.replace("{A}", A)).await;
        assert_eq!(error.detail(), Some(format!("The transaction has entered tenant \"{A}\".").as_str()), "{between}");
        app.run("rollback").await;
    }
    // A failed attempt seals nothing: the transaction may still enter a tenant that exists.
    app.run("begin; savepoint s").await;
    app.expect_error("TN002", "select tenant.enter('nobody')").await;
    app.run(&format!("rollback to s; select tenant.enter('{A}'); commit")).await;
}

#[tokio::test]
async fn in_one_statement() {
    let db = shop("at_once").await;
    let app = db.app().await;
    app.expect_error("TN005", &format!("select tenant.enter('{A}'), tenant.enter('{B}')")).await;
    app.expect_error("TN005", &format!("select tenant.enter(id) from (values ('{A}'), ('{B}')) v (id)")).await;
    app.expect_error("TN005", &format!("select tenant.enter('{A}') union all select tenant.enter('{B}')")).await;
    app.expect_error("TN005", &format!("select tenant.enter('{A}'); select tenant.enter('{B}')")).await;
    app.expect_error("TN005", &format!("select tenant.enter('{A}'); select tenant.enter_pristine('{B}')")).await;
    // Entering while the table is read: the statement was judged before its first row, with no tenant.
    app.expect_error("TN001", &format!("select tenant.enter('{A}'), * from orders")).await;
    app.expect_error("TN001", &format!("select * from orders where tenant.enter('{A}') <> ''")).await;
    app.refused_inside("TN005", A, &format!("select * from orders where tenant.enter('{B}') <> ''")).await;
}

#[tokio::test]
async fn but_the_same_one_may_be() {
    let db = shop("same").await;
    let app = db.app().await;
    let upper = A.to_ascii_uppercase();
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    for again in [
        format!("select tenant.enter('{A}')"),
        format!("select tenant.enter('{upper}')"),
        format!("select tenant.enter('{upper}'::uuid)"),
        format!("select tenant.enter_pristine('{A}')"),
    ] {
        assert_eq!(app.value(&again).await.as_deref(), Some(A), "{again}");
        assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"), "{again}");
    }
    // Undone by a savepoint, it can be entered again: and only it.
    app.run(&format!("commit; begin; savepoint s; select tenant.enter('{A}'); rollback to s")).await;
    assert_eq!(app.value("select tenant.current_id()").await, None);
    assert_eq!(app.value(&format!("select tenant.enter('{upper}')")).await.as_deref(), Some(A));
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"));
    app.run("commit").await;
}
