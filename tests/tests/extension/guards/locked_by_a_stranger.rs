//! LOCK TABLE holds up every tenant: in no transaction may a role do it that does not own the table.

use pg_tenant_tests::shop::{A, shop};

/// Each of these the application may do on stock PostgreSQL.
const LOCKS: &[&str] = &[
    "lock TABLE",
    "lock table TABLE in access exclusive mode nowait",
    "lock table only TABLE in share mode",
    "lock TABLE in share update exclusive mode",
    "lock TABLE in share row exclusive mode",
    "lock TABLE in exclusive mode",
    "lock public.TABLE",
    "lock free, TABLE",
    "lock TABLE_view",
    "lock TABLE_twice in exclusive mode",
    "lock TABLE_parent",
    "do $$ begin lock TABLE; end $$",
];

#[tokio::test]
async fn in_any_transaction() {
    let db = shop("locked").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    let owner = db.owner().await;
    owner.run("create table free (id int)").await;
    for table in ["stock_orders", "orders"] {
        owner
            .run(&format!(
                "create view {table}_view as select * from {table}; create view {table}_twice as select * from {table}_view;
                 create table {table}_parent (tenant_id uuid, note text); alter table {table} inherit {table}_parent"
            ))
            .await;
    }
    boss.run("grant all on all tables in schema public to public").await;
    for lock in LOCKS {
        app.run(&format!("begin; {}; rollback", lock.replace("TABLE", "stock_orders"))).await; // the hole
        let ours = lock.replace("TABLE", "orders");
        let refused = app.expect_error("TN033", &format!("begin; {ours}")).await; // TN033
        assert!(refused.message().contains("orders") && refused.hint().is_some(), "{refused:?}");
        app.run("rollback").await;
        app.refused_inside("TN033", A, &ours).await;
        // The owner, a superuser, and the owner's function.
        owner.run(&format!("begin; {ours}; rollback")).await;
        boss.run(&format!("begin; {ours}; rollback")).await;
        boss.expect_error("TN033", &format!("begin; set local role {}; {ours}", db.roles.app)).await;
        boss.run("rollback").await;
    }
    // The neighbours: what a statement locks anyway, other tables, the parent alone.
    app.run("begin; lock orders in access share mode; lock orders in row share mode; lock orders in row exclusive mode; rollback")
        .await;
    app.run("begin; lock free, stock_orders; lock only orders_parent; rollback").await;
    db.backup().await.run("begin; lock orders in access share mode; rollback").await; // as pg_dump does
    owner
        .run(
            "create view other as select * from free;
             create function locks() returns void language plpgsql security definer as $$ begin lock orders in share mode; end $$",
        )
        .await;
    boss.run("grant all on other to public").await;
    app.run("begin; lock other; select locks(); rollback").await;
    app.inside(A, "lock other; lock free in share mode").await;
    boss.run(&format!(
        "begin; set local pg_tenant.guards = off; set local role {}; lock orders; rollback",
        db.roles.app
    ))
    .await;
}
