//! What a tenant's transaction leaves in the session, or holds against all tenants, is refused.

use pg_tenant_tests::shop::{A, B, shop};

#[tokio::test]
async fn a_held_cursor_shows_rows_to_the_next_tenant() {
    let db = shop("held").await;
    let app = db.app().await;
    // The hole: the cursor's rows are read by whoever gets the connection next.
    app.run(&format!(
        "begin; set local app.tenant = '{A}'; declare c cursor with hold for select note from stock_orders; commit"
    ))
    .await;
    assert_eq!(app.rows(&format!("begin; set local app.tenant = '{B}'; fetch all from c; commit")).await.len(), 3);
    app.run("close all").await;

    let hold = "declare c cursor with hold for select note from orders";
    let refused = app.refused_inside("TN036", A, hold).await; // TN036
    assert!(refused.hint().is_some() && refused.detail().is_some(), "{refused:?}");
    app.refused_inside("TN036", A, "declare c binary scroll cursor with hold for select 1").await;
    app.refused_inside("TN036", A, &format!("do $$ begin execute '{hold}'; end $$")).await;
    app.expect_error("TN001", hold).await;
    // The neighbours: a cursor within the transaction, and one with no tenant.
    assert_eq!(app.inside(A, "declare c cursor for select note from orders; fetch all from c").await.len(), 3);
    app.run("declare c cursor with hold for select 1; close c").await;
    // A cursor WITHOUT HOLD ends with its transaction.
    app.run(&format!("begin; select tenant.enter('{A}'); declare c cursor for select note from orders; commit")).await;
    app.expect_error("34000", "fetch all from c").await;
}

#[tokio::test]
async fn a_prepared_transaction_waits_for_another_session() {
    let db = shop("two_phase").await;
    let app = db.app().await;
    let insert = format!("insert into stock_orders values ('{A}', 9)");
    app.run(&format!("begin; set local app.tenant = '{A}'; {insert}; prepare transaction 'stock'")).await;
    db.app().await.run("commit prepared 'stock'").await; // the hole: any session of the role decides
    app.refused_inside("TN036", A, "insert into orders (id) values (9); prepare transaction 'ours'").await;
    let count = "select count(*) from pg_prepared_xacts where database = current_database()";
    assert_eq!(app.value(count).await.as_deref(), Some("0"));
    // The neighbour: with no tenant there is nothing of a tenant's in it.
    app.run("begin; create temp table t () on commit drop; rollback").await;
    db.owner().await.run("begin; create table t (); prepare transaction 'plain'").await;
    db.owner().await.run("rollback prepared 'plain'").await;
}

#[tokio::test]
async fn a_lock_holds_up_every_tenant() {
    let db = shop("lock").await;
    let app = db.app().await;
    app.run(&format!("begin; set local app.tenant = '{A}'; lock table stock_orders; rollback")).await; // the hole
    for lock in [
        "lock table orders",
        "lock orders in share mode",
        "lock only public.orders nowait",
        "lock stock_orders, orders",
    ] {
        let refused = app.refused_inside("TN033", A, lock).await; // TN033
        assert!(refused.hint().is_some_and(|hint| hint.contains("for update")), "{refused:?}");
    }
    app.refused_inside("TN033", A, "do $$ begin lock table orders; end $$").await;
    // The neighbours.
    app.inside(A, "lock table stock_orders; select * from orders for update").await;
    db.owner().await.run("begin; lock table orders; rollback").await;
}

#[tokio::test]
async fn a_lock_goes_through_a_view() {
    let db = shop("lock_view").await;
    let owner = db.owner().await;
    owner.run("create view v as select * from orders").await;
    db.app().await.refused_inside("TN033", A, "lock table v").await;
}
