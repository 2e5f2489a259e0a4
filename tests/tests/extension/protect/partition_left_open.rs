//! A partition or a child without the fence is read around the protection of its parent.

use pg_tenant_tests::{Database, Install, Session};

use super::fixture::{A, B, rows, stage, table, text};

const SEVERAL_LEVELS: &str = "create table orders (tenant_id uuid, id int, note text) partition by range (id);
    create table orders_low partition of orders for values from (0) to (10) partition by list (tenant_id);
    create table orders_low_any partition of orders_low default;
    create table orders_rest partition of orders default;";

#[tokio::test]
async fn a_leaf_below_a_branch_is_forgotten() {
    let (db, owner) = stage("levels").await;
    let app = db.app().await;
    owner.run(&(SEVERAL_LEVELS.to_owned() + &rows("orders"))).await;
    // The hole: PostgreSQL's own policies on the parent do not count where a partition is named.
    owner
        .run(
            "create table stock (tenant_id uuid, id int, note text) partition by range (id);
             create table stock_rest partition of stock default;
             alter table stock enable row level security, force row level security;
             create policy stock on stock using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);",
        )
        .await;
    owner.run(&format!("insert into stock_rest values ('{B}', 2, 'of b')")).await;
    assert_eq!(text(&app, &format!("set app.tenant = '{A}'; select count(*) from stock")).await, "0");
    assert_eq!(text(&app, "select note from stock_rest").await, "of b");

    owner.run("select tenant.protect('orders')").await;
    for part in ["orders", "orders_low", "orders_low_any"] {
        app.expect_error("TN001", &format!("select * from {part}")).await;
        assert_eq!(app.inside_value(A, &format!("select note from {part}")).await.as_deref(), Some("of a"), "{part}");
        app.refused_inside("42501", A, &format!("insert into {part} values ('{B}', 3)")).await;
    }
    let parts = "select count(*) from tenant.protected_tables where enforced and index is not null";
    assert_eq!(text(&owner, parts).await, "4");
    assert_eq!(
        text(&owner, "select string_agg(kind, ', ' order by relation::text) from tenant.protected_tables").await,
        "partitioned table, partitioned table, partition, partition"
    );
}

#[tokio::test]
async fn an_inheritance_child_is_forgotten() {
    let (db, owner) = stage("children").await;
    let app = db.app().await;
    owner.run(&table("orders")).await;
    owner.run("create table child (more int) inherits (orders); create table grandchild () inherits (child)").await;
    owner.run(&rows("grandchild")).await;
    assert_eq!(text(&app, "select count(*) from grandchild").await, "2"); // the hole
    owner.run("select tenant.protect('orders')").await;
    for child in ["orders", "child", "grandchild"] {
        app.expect_error("TN001", &format!("select * from {child}")).await;
        let seen = app.inside_value(A, &format!("select distinct note from {child}")).await;
        assert_eq!(seen.as_deref(), Some("of a"), "{child}");
    }
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("2"));
}

/// As where somebody made the partition behind the guards' back.
async fn left_open(db: &Database<'_>, _: Session) -> Session {
    db.superuser().await.run(&format!("alter database {} set pg_tenant.new_tables = allow", db.name)).await;
    db.owner().await
}

#[tokio::test]
async fn a_partition_made_later_is_open() {
    let (db, owner) = stage("later").await;
    let (app, owner) = (db.app().await, left_open(&db, owner).await);
    owner.run(&(SEVERAL_LEVELS.to_owned() + &rows("orders") + "select tenant.protect('orders')")).await;
    owner.run("create table orders_later partition of orders for values from (10) to (20)").await;
    // Through the parent all is well.
    app.inside(A, "insert into orders (id, note) values (15, 'later')").await;
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("2"));
    assert_eq!(app.inside_value(B, "select count(*) from orders").await.as_deref(), Some("1"));
    // Around it nothing goes, with a tenant or without, and the HINT is the remedy.
    for sql in ["select * from orders_later", "delete from orders_later", "copy orders_later to stdout"] {
        app.refused_inside("TN012", B, sql).await;
        app.expect_error("TN012", sql).await;
    }
    let refused = owner.expect_error("TN012", "select * from orders_later").await;
    let remedy = refused.hint().and_then(|hint| Some(hint.split_once(": ")?.1.to_owned())).expect("a remedy");
    owner.run(&remedy).await;
    app.expect_error("TN001", "select * from orders_later").await;
    assert_eq!(app.inside_value(A, "select note from orders_later").await.as_deref(), Some("later"));
    assert_eq!(app.inside(B, "select note from orders_later").await.len(), 0);
}

#[tokio::test]
async fn an_attached_table_is_open() {
    let (db, owner) = stage("attached").await;
    let (app, owner) = (db.app().await, left_open(&db, owner).await);
    owner.run(&(SEVERAL_LEVELS.to_owned() + "select tenant.protect('orders')")).await;
    owner.run("create table aside (tenant_id uuid not null, id int, note text)").await;
    owner.run(&rows("aside").replace(", 1,", ", 21,").replace(", 2,", ", 22,")).await;
    assert_eq!(text(&app, "select count(*) from aside").await, "2"); // no part of it yet
    owner.run("alter table orders attach partition aside for values from (20) to (30)").await;
    app.expect_error("TN012", "select * from aside").await;
    assert_eq!(app.inside_value(A, "select note from orders where id > 20").await.as_deref(), Some("of a"));
    // A protected partition that is detached stays protected: it has its own fence.
    owner.run("select tenant.protect('orders'); alter table orders detach partition aside").await;
    app.expect_error("TN001", "select * from aside").await;
    // A child whose parent is not protected: reading the parent would read around the child's fence.
    owner.run(&(table("parent") + "create table child (tenant_id uuid, id int, note text)")).await;
    owner.run("select tenant.protect('child'); alter table child inherit parent").await;
    app.expect_error("TN012", "select * from parent").await;
    app.refused_inside("TN012", A, "select * from parent").await;
}

#[tokio::test]
async fn one_partition_is_protected_alone() {
    let (_db, owner) = stage("alone").await;
    owner.run(SEVERAL_LEVELS).await;
    let refused = owner.expect_error("TN020", "select tenant.protect('orders_low')").await;
    assert!(refused.hint().is_some_and(|hint| hint.contains("select tenant.protect('public.orders');")), "{refused:?}");
    owner.run("select tenant.protect('orders')").await;
    owner.run("select tenant.protect('orders_low')").await; // part of a protected whole: nothing to do
    owner.expect_error("TN030", "select tenant.unprotect('orders_low', 'alone')").await;
}

#[tokio::test]
async fn a_foreign_partition_is_open() {
    if Install::current().lacks("postgres_fdw") {
        return;
    }
    let (db, owner) = stage("foreign_part").await;
    owner.run("create table orders (tenant_id uuid, id int, note text) partition by range (id)").await;
    let boss = db.superuser().await;
    boss.run(&format!(
        "create extension postgres_fdw;
         create server here foreign data wrapper postgres_fdw options (host '{}', port '{}', dbname '{}');
         create user mapping for public server here options (user 'postgres', password_required 'false');
         create table far (tenant_id uuid, id int, note text);
         insert into far values ('{A}', 101, 'of a'), ('{B}', 102, 'of b');
         grant usage on foreign server here to {}",
        db.cluster().socket_dir().display(),
        db.cluster().port(),
        db.name,
        db.roles.owner
    ))
    .await;
    let attach = "create foreign table orders_far partition of orders for values from (100) to (200)
        server here options (schema_name 'public', table_name 'far')";
    owner.run(attach).await;
    let app = db.app().await;
    assert_eq!(app.value("select count(*) from orders_far").await.as_deref(), Some("2"), "the hole");
    owner.expect_error("TN020", "select tenant.protect('orders')").await; // TN020
    owner.run("drop foreign table orders_far; select tenant.protect('orders')").await;
    owner.run(attach).await;
    app.refused_inside("TN012", A, "select * from orders_far").await;
    app.expect_error("TN012", "select * from orders_far").await;
    assert_eq!(app.inside_value(A, "select string_agg(note, ' ') from orders").await.as_deref(), Some("of a"));
}
