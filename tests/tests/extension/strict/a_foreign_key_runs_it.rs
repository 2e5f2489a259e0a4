//! A statement that starts within a foreign key's action, where PostgreSQL applies no policies to the table's owner:
//! any tenant can make such an action, on temporary tables of its own.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop, stock_shop};

/// A view and a function of the table's owner, for everybody.
fn objects(table: &str) -> String {
    format!(
        "create view v_{table} as table {table}; grant select on v_{table} to public;
         create function f_{table}() returns bigint language plpgsql security definer as $$
            begin return (select count(*) from public.{table}); end $$"
    )
}

/// Counts rows in a BEFORE trigger that a cascade between temporary tables fires.
async fn count_within_a_cascade(session: &Session, count: &str) -> Option<String> {
    // Inside a tenant's transaction they end with it, else with the session.
    let end = if count.contains("stock") { "" } else { "on commit drop" };
    session
        .run(&format!(
            "create temp table parent (id int primary key) {end}; create temp table seen (n bigint) {end};
             create temp table child (id int references parent on delete cascade) {end};
             create function pg_temp.look() returns trigger language plpgsql as $$
                begin insert into seen {count}; return old; end $$;
             create trigger look before delete on child for each row execute function pg_temp.look();
             insert into parent values (1); insert into child values (1)"
        ))
        .await;
    // Alone: the new temporary schema would void every plan at commit.
    session.run("delete from parent").await;
    session.value("select n from seen").await
}

#[tokio::test]
async fn of_temporary_tables() {
    let (db, stock_db) = (shop("cascade").await, stock_shop("cascade_stock").await);
    db.owner().await.run(&objects("orders")).await;
    stock_db.owner().await.run(&objects("stock_orders")).await;
    for way in ["select count(*) from v_{t}", "select f_{t}()"] {
        let stock = stock_db.app().await;
        stock.run(&format!("set app.tenant = '{A}'")).await;
        let way_stock = way.replace("{t}", "stock_orders");
        assert_eq!(stock.value(&way_stock).await.as_deref(), Some("3"), "{way}");
        assert_eq!(count_within_a_cascade(&stock, &way_stock).await.as_deref(), Some("5"), "the hole: {way}");

        let (app, way) = (db.app().await, way.replace("{t}", "orders"));
        app.run(&format!("begin; select tenant.enter('{A}')")).await;
        assert_eq!(count_within_a_cascade(&app, &way).await.as_deref(), Some("3"), "{way}");
        app.run("rollback").await;
        // With no tenant nothing passes either.
        app.run(
            "create temp table parent (id int primary key);
             create temp table child (id int references parent on delete cascade);",
        )
        .await;
        app.run(&format!(
            "create function pg_temp.look() returns trigger language plpgsql as $$
                begin perform n from ({way}) as q (n); return old; end $$;
             create trigger look before delete on child for each row execute function pg_temp.look();
             insert into parent values (1); insert into child values (1)"
        ))
        .await;
        app.expect_error("TN001", "delete from parent").await;
    }
}

#[tokio::test]
async fn and_leaves_a_plan_without_policies() {
    let (db, stock_db) = (shop("poisoned").await, stock_shop("poisoned_stock").await);
    db.owner().await.run(&objects("orders")).await;
    stock_db.owner().await.run(&objects("stock_orders")).await;
    let stock = stock_db.app().await;
    stock.run(&format!("set app.tenant = '{A}'")).await;
    count_within_a_cascade(&stock, "select f_stock_orders()").await;
    assert_eq!(stock.value("select f_stock_orders()").await.as_deref(), Some("5"), "the hole: the plan is kept");

    let app = db.app().await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    count_within_a_cascade(&app, "select f_orders()").await;
    assert_eq!(app.value("select f_orders()").await.as_deref(), Some("3"));
    app.run("rollback").await;
    assert_eq!(app.inside_value(B, "select f_orders()").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn of_the_application() {
    let db = shop("cascade_real").await;
    let owner = db.protector().await;
    owner
        .run(&format!(
            "create table lines (tenant_id uuid not null, order_id int references orders on delete cascade on update cascade);
             insert into lines select case when n < 4 then '{A}' else '{B}' end::uuid, n from generate_series(1, 5) n;
             create table deleted (tenant_id uuid not null, lines_left bigint);
             create function note() returns trigger language plpgsql as $$
                begin insert into deleted (lines_left) select count(*) from lines; return old; end $$;
             create trigger note before delete on lines for each row execute function note();
             select tenant.protect('lines'); select tenant.protect('deleted'); grant select on deleted to {}",
            db.roles.app
        ))
        .await;
    let app = db.app().await;
    app.inside(A, "update orders set id = 30 where id = 3; delete from orders where id = 30").await;
    assert_eq!(
        app.inside_value(A, "select string_agg(order_id::text, ' ' order by 1) from lines").await.as_deref(),
        Some("1 2")
    );
    assert_eq!(app.inside_value(A, "select lines_left from deleted").await.as_deref(), Some("3"), "its own lines only");
    assert_eq!(app.inside(B, "select * from deleted").await.len(), 0);
    // A superuser at work on all tenants goes on: the trigger sees them all, and must say whose the row is.
    db.superuser()
        .await
        .run(
            "create or replace function note() returns trigger language plpgsql as $$
        begin insert into deleted select old.tenant_id, count(*) from lines; return old; end $$;
        delete from orders where id = 4",
        )
        .await;
    assert_eq!(app.inside_value(B, "select lines_left from deleted").await.as_deref(), Some("4"));
}

/// The query of a key to a partitioned table prunes partitions before it runs, by the casts of its maker.
#[tokio::test]
async fn while_partitions_are_pruned() {
    let (db, stock_db) = (shop("pruned").await, stock_shop("pruned_stock").await);
    db.owner().await.run(&objects("orders")).await;
    stock_db.owner().await.run(&objects("stock_orders")).await;
    let key = |count: &str| {
        format!(
            "create type pg_temp.spy as enum ('a');
             create temp sequence calls;
             create function pg_temp.count_all() returns bigint language plpgsql as $$ begin return ({count}); end $$;
             create function pg_temp.cast_spy(pg_temp.spy) returns int stable language plpgsql as $$
                declare n bigint; begin
                    if nextval('pg_temp.calls') > 2 then n := pg_temp.count_all(); end if; return 1;
                exception when others then return 1; end $$;
             create cast (pg_temp.spy as int) with function pg_temp.cast_spy(pg_temp.spy) as implicit;
             create temp table p (id int primary key) partition by list (id);
             create temp table p1 partition of p for values in (1);
             create temp table p2 partition of p for values in (2);
             create temp table c (x pg_temp.spy references p);
             insert into p values (1), (2)"
        )
    };
    // Where many other sessions change the catalogs, PostgreSQL forgets the plan in between and makes a right one.
    let mut counted = None;
    for _ in 0..50 {
        let stock = stock_db.app().await;
        stock.run(&format!("set app.tenant = '{A}'")).await;
        stock.run(&key("select count(*) from public.v_stock_orders")).await;
        stock.run("insert into c values ('a')").await;
        counted = stock.value("select pg_temp.count_all()").await;
        if counted.as_deref() == Some("5") {
            break;
        }
    }
    assert_eq!(counted.as_deref(), Some("5"), "the hole: the plan is kept");

    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let bound = db.app().await;
    bound.run(&key("select count(*) from public.v_orders")).await;
    bound.run("insert into c values ('a')").await;
    assert_eq!(bound.value("select pg_temp.count_all()").await.as_deref(), Some("3"));
}
