//! What a tenant's transaction leaves in the session, or holds against all tenants, is refused.

use std::time::{Duration, Instant};

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
async fn a_held_cursor_is_filled_with_the_rows_of_who_is_entered_after_it() {
    let db = shop("held_before").await;
    let app = db.app().await;
    db.owner()
        .await
        .run(
            "create function late() returns setof text language plpgsql as $$ begin return query select note from orders; end $$;
             create function late_stock() returns setof text language plpgsql as $$
                begin return query select note from stock_orders; end $$",
        )
        .await;
    // The hole: what the cursor calls runs at COMMIT.
    app.run(&format!(
        "begin; declare c cursor with hold for select late_stock(); set local app.tenant = '{A}'; commit"
    ))
    .await;
    assert_eq!(app.rows(&format!("begin; set local app.tenant = '{B}'; fetch all from c; commit")).await.len(), 3);
    app.run("close all").await;

    app.run("begin; declare c cursor with hold for select late()").await;
    let refused = app.expect_error("TN036", &format!("select tenant.enter('{A}')")).await; // TN036
    assert!(refused.hint().is_some_and(|hint| hint.contains("WITH HOLD")), "{refused:?}");
    app.run("rollback; begin; declare c cursor with hold for select 1; commit").await;
    app.inside(A, "select * from orders").await; // one that is filled has nobody's rows
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
    app.inside(A, "lock table orders in access share mode; lock orders in row exclusive mode").await; // pg_dump does
    db.owner().await.run("begin; lock table orders; rollback").await;
}

#[tokio::test]
async fn a_lock_is_taken_before_the_tenant_is_entered() {
    let db = shop("lock_before").await;
    // Its owner may lock it; who may lock at all is another file's.
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
    let (app, other) = (db.owner().await, db.app().await);
    app.run("create view v as select * from orders; grant all on stock_orders to public").await;
    // The hole: nobody else writes for as long as this tenant's transaction goes on.
    app.run(&format!("begin; lock table stock_orders; set local app.tenant = '{A}'")).await;
    other.expect_error("55P03", "begin; lock table stock_orders in row exclusive mode nowait").await;
    app.run("rollback").await;
    for lock in ["lock table orders", "lock table orders in share mode", "lock table v"] {
        for enter in ["tenant.enter", "tenant.enter_pristine"] {
            app.run(&format!("begin; {lock}")).await;
            let refused = app.expect_error("TN033", &format!("select {enter}('{A}')")).await; // TN033
            assert!(refused.hint().is_some_and(|hint| hint.contains("enters no tenant")), "{refused:?}");
            app.run("rollback").await;
        }
    }
    // The neighbours: a lock that a savepoint has let go of, one that holds up nobody, one of another transaction.
    app.run(&format!("begin; savepoint s; lock table orders; rollback to s; select tenant.enter('{A}'); commit")).await;
    app.run(&format!("begin; lock table orders in row exclusive mode; select tenant.enter('{A}'); commit")).await;
    app.run("begin; lock table orders; commit").await;
    app.inside(A, "select * from orders").await;
}

#[tokio::test]
async fn a_lock_goes_through_a_view() {
    let db = shop("lock_view").await;
    let owner = db.owner().await;
    owner.run("create view v as select * from orders").await;
    db.app().await.refused_inside("TN033", A, "lock table v").await;
}

#[tokio::test]
async fn a_temporary_table_with_a_tenant_policy_stays_for_the_next_session() {
    let db = shop("temp_fence").await;
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let bound = db.app().await;
    let table = "create temp table t (tenant_id text); create policy p on t as restrictive using (tenant_id = tenant.current_id())";
    bound.run(table).await;
    bound.run("discard all").await;
    bound
        .run(
            &format!("begin; {} on commit drop; commit", table.replace("; create policy", ""))
                .replace(" p on t as restrictive using (tenant_id = tenant.current_id())", ""),
        )
        .await;
    bound.run(table).await;
    let temporary = "select count(*) from pg_class where relname = 't' and relpersistence = 't'";
    let boss = db.superuser().await;
    assert_eq!(boss.value(temporary).await.as_deref(), Some("1"));
    drop(bound);
    let sessions = format!("select count(*) from pg_stat_activity where usename = '{}'", db.roles.app);
    let since = Instant::now();
    while boss.value(&sessions).await.as_deref() != Some("0") {
        assert!(since.elapsed() < Duration::from_secs(60), "the session does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(boss.value(temporary).await.as_deref(), Some("0"), "it goes with its session");
}
