//! The owner can add and validate foreign keys between protected tables, and a key is valid only if no tenant has an
//! orphan: PostgreSQL must look at every row, whoever has entered what.

use super::fixture::{A, B, stage, text};

const TABLES: &str = "create table orders (tenant_id uuid not null, id int, primary key (tenant_id, id));
    create table items (tenant_id uuid not null, order_id int, n int);";
const ADD: &str = "alter table items add constraint of_order foreign key (tenant_id, order_id) references orders";

fn order(tenant: &str, id: u32) -> String {
    format!("insert into orders values ('{tenant}', {id});")
}

fn item(tenant: &str, id: u32) -> String {
    format!("insert into items values ('{tenant}', {id}, 1);")
}

#[tokio::test]
async fn the_owner_adds_a_key() {
    let (_db, owner) = stage("keys").await;
    owner.run(TABLES).await;
    owner.run(&(order(A, 1) + &order(B, 2) + &item(A, 1) + &item(B, 2))).await;
    owner.run("select tenant.protect('orders'), tenant.protect('items')").await;
    owner.run(ADD).await;
    owner.run("alter table items drop constraint of_order").await;
    owner.run(&format!("{ADD} not valid; alter table items validate constraint of_order")).await;
    assert_eq!(text(&owner, "select convalidated::text from pg_constraint where conname = 'of_order'").await, "true");
}

#[tokio::test]
async fn an_orphan_of_another_tenant_is_refused() {
    let (db, owner) = stage("orphans").await;
    owner.run(TABLES).await;
    owner.run(&(order(A, 1) + &item(A, 1) + &item(B, 7))).await; // B has the orphan
    // The hole: where row-level security is not forced on the owner's check, PostgreSQL sees every row and refuses;
    // a check that saw the policies' rows only would call this valid.
    owner.expect_error("23503", ADD).await;
    owner.run("select tenant.protect('orders'), tenant.protect('items')").await;
    owner.expect_error("23503", ADD).await;
    owner.run(&format!("{ADD} not valid")).await;
    owner.expect_error("23503", "alter table items validate constraint of_order").await;
    owner.run("alter table items drop constraint of_order").await;

    // With a tenant entered that has no orphan, data definition is refused; with the guards off, the check is true.
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
    owner.refused_inside("TN032", A, ADD).await;
    assert_eq!(text(&owner, "select count(*) from pg_constraint where conname = 'of_order'").await, "0");
}

#[tokio::test]
async fn an_orphan_is_refused_inside_a_tenant() {
    let (db, owner) = stage("orphans_inside").await;
    owner.run(TABLES).await;
    owner.run(&(order(A, 1) + &item(A, 1) + &item(B, 7))).await;
    owner.run("select tenant.protect('orders')").await;
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
    // Only the referenced table is protected: its check tells which keys are there, and its triggers stay on that
    // table.
    owner.refused_inside("TN032", A, ADD).await;
    owner.expect_error("23503", ADD).await;
    owner.refused_inside("TN032", B, ADD).await;
}

#[tokio::test]
async fn a_key_reaches_into_another_tenant() {
    let (db, owner) = stage("across").await;
    let app = db.app().await;
    // The hole: a key without the tenant column is checked outside row-level security, and tells what others have.
    owner
        .run(
            "create table loose (tenant_id uuid not null, id int primary key);
             create table loose_items (tenant_id uuid not null, id int references loose);
             select tenant.protect('loose'), tenant.protect('loose_items')",
        )
        .await;
    app.inside(B, "insert into loose (id) values (2)").await;
    app.inside(A, "insert into loose_items (id) values (2)").await;
    // With the tenant column in it, it cannot.
    owner.run(TABLES).await;
    owner.run(&format!("{ADD} on delete cascade; select tenant.protect('orders'), tenant.protect('items')")).await;
    app.inside(B, "insert into orders (id) values (2)").await;
    app.refused_inside("23503", A, "insert into items (order_id) values (2)").await;
    app.inside(A, "insert into orders (id) values (2)").await;
    app.inside(A, "insert into items (order_id) values (2)").await;
}

#[tokio::test]
async fn a_cascade_stops_or_goes_too_far() {
    let (db, owner) = stage("cascades").await;
    let app = db.app().await;
    owner.run(TABLES).await;
    owner.run(&format!("{ADD} on delete cascade on update cascade")).await;
    owner.run(&(order(A, 1) + &order(B, 1) + &item(A, 1) + &item(A, 1) + &item(B, 1))).await;
    owner.run("select tenant.protect('orders'), tenant.protect('items')").await;
    app.inside(A, "update orders set id = 5").await;
    assert_eq!(app.inside_value(A, "select count(*) from items where order_id = 5").await.as_deref(), Some("2"));
    app.inside(A, "delete from orders").await;
    assert_eq!(app.inside_value(A, "select count(*) from items").await.as_deref(), Some("0"));
    assert_eq!(app.inside_value(B, "select count(*) from items where order_id = 1").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_table_refers_to_the_registry() {
    let (db, owner) = stage("to_registry").await;
    owner.run("select tenant.create('7')").await;
    owner
        .run(
            "create table by_uuid (tenant_id uuid not null references tenant.tenants (uuid_id), id int);
             create table by_bigint (tenant_id bigint not null references tenant.tenants (bigint_id), id int);
             create table by_id (tenant_id text not null references tenant.tenants (id), id int);
             select tenant.protect('by_uuid'), tenant.protect('by_bigint'), tenant.protect('by_id');",
        )
        .await;
    let app = db.app().await;
    app.inside(A, "insert into by_uuid (id) values (1); insert into by_id (id) values (1)").await;
    app.inside("7", "insert into by_bigint (id) values (1); insert into by_id (id) values (1)").await;
    // A tenant does not leave the registry, with rows or without.
    let boss = db.superuser().await;
    boss.expect_error("TN052", &format!("delete from tenant.tenants where id = '{A}'")).await;
    boss.expect_error("TN052", &format!("delete from tenant.tenants where id = '{B}'")).await;
}
