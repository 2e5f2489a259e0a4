//! Where protection was weakened while the guards were off, statements are refused instead of showing every tenant's
//! rows.

use pg_tenant_tests::shop::{A, B, shop};

#[tokio::test]
async fn a_table_with_row_security_off_is_read() {
    let db = shop("rls_off").await;
    let boss = db.superuser().await;
    boss.run(&format!("alter role {} set pg_tenant.side_channels = allow", db.roles.app)).await; // EXPLAIN
    let app = db.app().await;
    // The hole: the policies are there, and PostgreSQL ignores them.
    boss.run("alter table stock_orders disable row level security").await;
    assert_eq!(
        app.value(&format!("set app.tenant = '{A}'; select count(*) from stock_orders")).await.as_deref(),
        Some("5")
    );

    app.inside(A, "select * from orders").await; // its verdict is remembered now
    boss.run("set pg_tenant.guards = off; alter table orders disable row level security").await;
    for sql in [
        "select * from orders",
        "insert into orders (id) values (9)",
        "update orders set note = 'x'",
        "delete from orders",
        "copy orders to stdout",
        "explain select * from orders",
        "declare c cursor for select * from orders",
        "do $$ begin perform * from orders; end $$",
    ] {
        let refused = app.refused_inside("TN012", A, sql).await; // TN012
        assert!(refused.detail().is_some_and(|detail| detail.contains("not enabled")), "{refused:?}");
        assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.protect('public.orders')")), "{refused:?}");
    }
    app.expect_error("TN012", "select * from orders").await; // with no tenant as well
    db.owner().await.expect_error("TN012", "select * from orders").await;
    assert_eq!(boss.value("select count(*) from orders").await.as_deref(), Some("5")); // a superuser at work
    boss.run("select tenant.protect('orders')").await; // heals
    assert_eq!(app.inside_value(B, "select count(*) from orders").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn the_owner_is_exempt_again() {
    let db = shop("no_force").await;
    let (boss, app, owner) = (db.superuser().await, db.app().await, db.owner().await);
    boss.run("alter table stock_orders no force row level security").await;
    assert_eq!(owner.value("select count(*) from stock_orders").await.as_deref(), Some("5")); // the hole
    boss.run("set pg_tenant.guards = off; alter table orders no force row level security").await;
    owner.expect_error("TN012", "select * from orders").await;
    let refused = app.refused_inside("TN012", A, "select * from orders").await;
    assert!(refused.detail().is_some_and(|detail| detail.contains("not forced")), "{refused:?}");
    boss.run("select tenant.protect('orders')").await;
    app.inside(A, "select * from orders").await;
    owner.expect_error("TN001", "select * from orders").await;
}

#[tokio::test]
async fn a_statement_prepared_before_reads_on() {
    let db = shop("rls_off_prepared").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    let count = app.prepare("select count(*) from orders").await.expect("prepare");
    for _ in 0..6 {
        app.run(&format!("begin; select tenant.enter('{A}')")).await;
        let seen: i64 = app.query_one(&count, &[]).await.expect("a count").get(0);
        app.run("commit").await;
        assert_eq!(seen, 3);
    }
    boss.run("set pg_tenant.guards = off; alter table orders disable row level security").await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    let refused = app.query_one(&count, &[]).await.expect_err("refused");
    assert_eq!(refused.code().map(|c| c.code()), Some("TN012"));
    app.run("rollback").await;
}
