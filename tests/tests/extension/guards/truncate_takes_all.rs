//! TRUNCATE does not know policies: it would remove the rows of every tenant.

use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn a_truncate_takes_all_tenants() {
    let db = shop("truncate").await;
    let (owner, app, boss) = (db.owner().await, db.app().await, db.superuser().await);
    owner.run(&format!("grant truncate on orders, stock_orders to {}", db.roles.app)).await;
    // The hole: a tenant's session empties the table of all.
    app.run(&format!("begin; set local app.tenant = '{A}'; truncate stock_orders")).await;
    assert_eq!(app.value("select count(*) from stock_orders").await.as_deref(), Some("0"));
    app.run("rollback").await;

    let refused = app.refused_inside("TN031", A, "truncate orders").await; // TN031
    assert!(refused.detail().is_some() && refused.hint().is_some_and(|hint| hint.contains("DELETE")), "{refused:?}");
    app.expect_error("TN031", "truncate orders").await;
    owner.expect_error("TN031", "truncate table only orders restart identity").await;
    owner.expect_error("TN031", "truncate stock_orders, orders").await;
    owner.expect_error("TN031", "do $$ begin truncate orders; end $$").await;
    boss.refused_inside("TN031", A, "truncate orders").await; // a superuser inside a tenant is in it
    assert_eq!(boss.value("select count(*) from orders").await.as_deref(), Some("5"));
    // The neighbours: other tables, a tenant's own rows, a superuser at work.
    owner.run("truncate stock_orders").await;
    app.inside(A, "delete from orders").await;
    assert_eq!(boss.value("select count(*) from orders").await.as_deref(), Some("2"));
    boss.run("truncate orders").await;
}

#[tokio::test]
async fn a_cascade_takes_all_tenants() {
    let db = shop("truncate_cascade").await;
    let (owner, app) = (db.owner().await, db.app().await);
    owner
        .run(
            "create table places (id int primary key); insert into places values (1);
             alter table orders add place int references places;
             alter table stock_orders add place int references places;",
        )
        .await;
    owner.run(&format!("grant truncate on all tables in schema public to {}", db.roles.app)).await;
    app.refused_inside("TN031", A, "truncate places cascade").await; // TN031, by way of the key
    owner.expect_error("TN031", "truncate places cascade").await;
    assert_eq!(db.superuser().await.value("select count(*) from orders").await.as_deref(), Some("5"));
    // The hole, where only the stock table refers to it.
    owner.run("alter table orders drop place; truncate places cascade").await;
    assert_eq!(db.superuser().await.value("select count(*) from stock_orders").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_partition_is_truncated_alone() {
    let db = shop("truncate_partition").await;
    let owner = db.owner().await;
    owner.run("create table events (tenant_id uuid, n int) partition by list (n)").await;
    owner.run("create table events_1 partition of events for values in (1)").await;
    db.superuser().await.run("select tenant.protect('events')").await;
    owner.run("create table events_2 partition of events for values in (2)").await; // not yet protected
    for table in ["events", "events_1", "events_2", "only events_1"] {
        owner.expect_error("TN031", &format!("truncate {table}")).await;
    }
}

#[tokio::test]
async fn nobody_hears_of_it_while_rolling_out() {
    let db = shop("truncate_log").await;
    let boss = db.superuser().await;
    boss.run(&format!("grant truncate on orders to {0}; alter role {0} set pg_tenant.strict = log", db.roles.app))
        .await;
    let app = db.app().await;
    app.run("begin; truncate orders; rollback").await;
    assert!(app.notices().iter().any(|notice| notice.code().code() == "TN031"), "{:?}", app.notices());
    app.refused_inside("TN031", A, "truncate orders").await;
}
