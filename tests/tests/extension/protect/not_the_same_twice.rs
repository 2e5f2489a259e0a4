//! Protecting twice is protecting once, and a transaction that rolls back has protected nothing: anything else makes a
//! migration that is run again, or fails half way, a hole or a lock-out.

use super::fixture::{A, catalog, stage, table, text};

#[tokio::test]
async fn a_second_call_changes_the_table() {
    let (_db, owner) = stage("twice").await;
    owner.run(&table("orders")).await;
    owner.run("select tenant.protect('orders')").await;
    let once = catalog(&owner, "orders").await;
    owner.run("select tenant.protect('orders'); select tenant.protect('public.orders', 'tenant_id')").await;
    assert_eq!(catalog(&owner, "orders").await, once);
}

#[tokio::test]
async fn a_rollback_leaves_a_trace() {
    let (db, owner) = stage("rollback").await;
    owner.run(&table("orders")).await;
    let before = catalog(&owner, "orders").await;
    let journal = text(&owner, "select count(*) from tenant.journal").await;

    owner.run("begin; select tenant.protect('orders'); rollback").await;
    assert_eq!(catalog(&owner, "orders").await, before);
    assert_eq!(text(&owner, "select count(*) from tenant.journal").await, journal);
    // Not protected, in this session and in others: the cached verdict is gone as well.
    assert_eq!(text(&owner, "select count(*) from orders").await, "2");
    assert_eq!(text(&db.app().await, "select count(*) from orders").await, "2");
}

#[tokio::test]
async fn a_savepoint_that_is_undone_leaves_a_trace() {
    let (_db, owner) = stage("savepoint").await;
    owner.run(&(table("orders") + &table("bills"))).await;
    let before = catalog(&owner, "orders").await;
    owner
        .run("begin; savepoint s; select tenant.protect('orders'); rollback to s; select tenant.protect('bills'); commit")
        .await;
    assert_eq!(catalog(&owner, "orders").await, before);
    assert_eq!(text(&owner, "select count(*) from orders").await, "2");
    owner.expect_error("TN001", "select count(*) from bills").await;
}

#[tokio::test]
async fn a_failure_leaves_half_of_it() {
    let (_db, owner) = stage("half").await;
    // The second child cannot be protected: the parent and the first child must not be either.
    owner.run(&table("orders")).await;
    owner.run("create table orders_1 () inherits (orders)").await;
    owner.run("create table orders_2 () inherits (orders); insert into orders_2 values (null, 3, 'of nobody')").await;
    let tables = "orders,orders_1,orders_2";
    let before = catalog(&owner, tables).await;
    owner.expect_error("TN024", "select tenant.protect('orders')").await;
    assert_eq!(catalog(&owner, tables).await, before);
    // The guards, which protect turns off for its own commands, are on again.
    owner.run(&(table("bills") + "select tenant.protect('bills')")).await;
    owner.expect_error("TN024", "select tenant.protect('orders')").await;
    owner.expect_error("TN030", "alter table bills disable row level security").await;
}

#[tokio::test]
async fn a_statement_planned_before_runs_unprotected() {
    let (db, owner) = stage("planned").await;
    owner.run(&table("orders")).await;
    let app = db.app().await;
    let prepared = app.prepare("select count(*) from orders").await.expect("prepare");
    let count: i64 = app.query_one(&prepared, &[]).await.expect("before").get(0);
    assert_eq!(count, 2);
    owner.run("select tenant.protect('orders')").await;
    let refused = app.query_one(&prepared, &[]).await.expect_err("after");
    assert_eq!(refused.code().map(|c| c.code()), Some("TN001"));
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    let count: i64 = app.query_one(&prepared, &[]).await.expect("inside").get(0);
    assert_eq!(count, 1);
}
