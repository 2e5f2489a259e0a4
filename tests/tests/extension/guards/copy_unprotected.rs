//! Protected rows are not copied into a table without a policy, where everybody could read them.

use pg_tenant_tests::shop::{A, B, shop};

#[tokio::test]
async fn a_copy_of_the_rows_has_no_policy() {
    let db = shop("copy").await;
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
    let (owner, app) = (db.owner().await, db.app().await);
    // The hole: the copy that one tenant makes is there for the next.
    owner
        .run(&format!("begin; set local app.tenant = '{A}'; create table copied as select * from stock_orders; commit"))
        .await;
    assert_eq!(app.value("select count(*) from copied").await.as_deref(), Some("3"));

    for command in [
        "create table copy as select * from orders",
        "create table if not exists copy as table orders",
        "create table copy as with o as (select * from orders) select * from o",
        "select * into copy from orders",
        "create unlogged table copy as select count(*) from orders",
        "explain analyze create table copy as select * from orders",
        "do $$ begin create table copy as select * from orders; end $$",
        "prepare p as select * from orders; create table copy as execute p",
        "create table copy as select 1 as one", // by a function or a cursor it could read anything
    ] {
        let refused = owner.refused_inside("TN034", A, command).await; // TN034
        assert!(refused.hint().is_some_and(|hint| hint.contains("on commit drop")), "{refused:?}");
    }
    // With no tenant there is nothing to copy; the neighbours pass.
    owner.expect_error("TN001", "create table copy as select * from orders").await;
    owner.run("create table copy as select 1 as one").await;
    owner.inside(A, "create temp table mine on commit drop as select * from orders").await;
    owner.inside(A, "create temp table mine (id int) on commit drop; insert into mine select id from orders").await;
    db.superuser().await.run("create table all_of_it as select * from orders; drop table all_of_it").await;
}

#[tokio::test]
async fn a_materialized_view_keeps_the_rows_of_all() {
    let db = shop("matview").await;
    let (owner, app, boss) = (db.owner().await, db.app().await, db.superuser().await);
    // The hole: a materialized view has no policies. Its owner saw every row, so all that may read it do.
    boss.run("create materialized view stock_all as select * from stock_orders; grant select on stock_all to public")
        .await;
    assert_eq!(
        app.value(&format!("set app.tenant = '{A}'; select count(*) from stock_all")).await.as_deref(),
        Some("5")
    );

    owner.run("create view looks as select * from orders; create view further as select * from looks").await;
    for command in [
        "create materialized view m as select * from orders",
        "create materialized view m as select count(*) from orders with no data",
        "create materialized view m as select * from further", // through views
        "create materialized view m as with o as (select 1 from orders) select * from o",
        "create materialized view m as select (select max(id) from orders)",
        "do $$ begin create materialized view m as select * from orders; end $$",
    ] {
        owner.expect_error("TN027", command).await; // TN027
        let refused = boss.expect_error("TN027", command).await;
        assert!(refused.hint().is_some_and(|hint| hint.contains("security_invoker")), "{refused:?}");
    }
    // The neighbours.
    owner.run("create materialized view m as select * from stock_orders; refresh materialized view m").await;
    boss.run("set pg_tenant.guards = off; create materialized view known as select count(*) from orders").await;
    // It was made with the guards off: refreshing it is a statement like any other.
    boss.run(&format!("alter materialized view known owner to {}", db.roles.owner)).await;
    owner.expect_error("TN001", "refresh materialized view known").await;
    app.inside(B, "select 1").await;
}
