//! A pool lends a connection whose transaction is open, in the last request's tenant: PostgreSQL only warns at BEGIN.

use pg_tenant_tests::shop::{A, B, shop};

#[tokio::test]
async fn and_the_next_request_begins() {
    let db = shop("lent").await;
    let app = db.app().await;
    let first = format!("begin; select tenant.enter('{A}'); select * from orders");
    // The hole: what the next request does happens in the first one's tenant.
    app.run(&format!("begin; set local app.tenant = '{A}'")).await;
    app.run("begin").await;
    assert_eq!(app.value("select count(*) from stock_orders").await.as_deref(), Some("3"));
    app.run("rollback").await;

    for begin in [
        "begin",
        "start transaction",
        "begin isolation level serializable read only",
        "begin; select tenant.enter('{b}')",
    ] {
        app.run(&first).await;
        let refused = app.expect_error("TN017", &begin.replace("{b}", B)).await; // TN017
        assert!(refused.detail().is_some_and(|detail| detail.contains(A)), "{refused:?}");
        assert!(refused.hint().is_some_and(|hint| hint.contains("Roll back")), "{refused:?}");
        app.expect_error("25P02", "select * from orders").await;
        app.run("rollback").await;
        assert_eq!(app.inside_value(B, "select count(*) from orders").await.as_deref(), Some("2"));
    }
    // By the extended protocol, also where a savepoint has undone the entry.
    let begin = app.prepare("begin").await.expect("prepare");
    app.run(&format!("begin; savepoint s; select tenant.enter('{A}'); rollback to s")).await;
    assert_eq!(app.execute(&begin, &[]).await.expect_err("refused").code().map(|code| code.code()), Some("TN017"));
    app.run("rollback").await;
    // The neighbours: savepoints, chains, a transaction without a tenant, a new transaction.
    app.run(&format!(
        "{first}; savepoint begin_; release begin_; commit and chain; select tenant.enter('{B}'); commit"
    ))
    .await;
    app.run("begin; begin; commit").await;
    app.run(&format!("begin; begin; select tenant.enter('{A}'); commit; begin; commit")).await;
}

#[tokio::test]
async fn of_the_system_context_or_a_bound_login() {
    let db = shop("lent_system").await;
    db.superuser().await.run(&format!("grant tenant_system to {}", db.roles.app)).await;
    let app = db.app().await;
    app.run("begin; select tenant.enter_system('to look')").await;
    app.expect_error("TN017", "begin").await;
    app.run("rollback").await;
    // A bound login is in its tenant before its transaction begins; whoever gets it next is in the same.
    db.superuser().await.run(&format!("revoke tenant_system from {}", db.roles.app)).await;
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let bound = db.app().await;
    bound
        .run(&format!("begin; begin; select * from orders; select tenant.enter('{A}'); start transaction; commit"))
        .await;
}
