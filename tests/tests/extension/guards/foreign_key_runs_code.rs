//! A foreign key runs the code of who makes it with the rights of the owner of the table it refers to, or in the
//! transactions of who changes that table.

use pg_tenant_tests::shop::{A, shop};

/// A type with a cast that runs as whoever checks a key of it.
fn spying_type(schema: &str, to: &str, value: &str) -> String {
    format!(
        "create type {schema}.spy as enum ('a');
         create function {schema}.cast_spy({schema}.spy) returns {to} language plpgsql as $$
            begin insert into {schema}.ran values (current_user); return {value}; end $$;
         create cast ({schema}.spy as {to}) with function {schema}.cast_spy({schema}.spy) as implicit;
         create table {schema}.ran (role text); grant insert on {schema}.ran to public;"
    )
}

#[tokio::test]
async fn as_the_owner_of_the_registry() {
    let db = shop("fk_registry").await;
    let owner = db.protector().await;
    let boss = db.superuser().await;
    owner.run(&spying_type("public", "uuid", &format!("'{A}'"))).await;
    // The hole, on a table like the registry: a superuser's, to which others may refer.
    boss.run(&format!(
        "create table keys (id uuid primary key); insert into keys values ('{A}'); grant references on keys to {}",
        db.roles.owner
    ))
    .await;
    owner.run("create table hole (id spy references keys); insert into hole values ('a')").await;
    assert_eq!(owner.value("select distinct role from ran").await.as_deref(), Some("postgres"), "the hole");

    owner.run("create domain key as uuid; truncate ran").await;
    for table in [
        "create table t (id spy references tenant.tenants (uuid_id))",
        "create table t (id spy); alter table t add foreign key (id) references tenant.tenants (uuid_id) not valid",
        "create table t (id key references tenant.tenants (uuid_id))",
        "create table t (id uuid references tenant.tenants (uuid_id)); alter table t alter id type spy using 'a'",
    ] {
        owner.run("begin").await;
        let refused = owner.expect_error("TN037", table).await; // TN037
        assert!(refused.hint().is_some_and(|hint| hint.contains("uuid or bigint")), "{table}: {refused:?}");
        owner.run("rollback").await;
    }
    assert_eq!(owner.value("select count(*) from ran").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn as_the_owner_of_a_protected_table_or_in_another_tenant() {
    let db = shop("fk_protected").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    // What `grant all` gives.
    boss.run(&format!(
        "create schema own authorization {0}; grant references on orders, stock_orders to {0}; revoke all on schema own from public",
        db.roles.app
    ))
    .await;
    app.run(&spying_type("own", "int", "1")).await;
    boss.run("grant usage on schema own to public").await;
    app.run("create table own.hole (id own.spy references stock_orders); insert into own.hole values ('a')").await;
    assert_eq!(app.value("select distinct role from own.ran").await, Some(db.roles.owner.clone()), "the hole");
    app.run("create table own.trojan (id int references stock_orders on delete cascade)").await; // and the other

    for table in [
        "create table own.t (id own.spy references orders)",
        "create table own.t (id int references orders on delete cascade)",
        "create table own.t (id int); alter table own.t add foreign key (id) references orders",
    ] {
        app.run("begin").await;
        let refused = app.expect_error("TN037", table).await; // TN037
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{table}: {refused:?}");
        app.run("rollback").await;
        app.refused_inside("TN034", A, table).await; // no new table at all
    }
    let owner = db.owner().await;
    // The neighbours: the owner outside tenants, and tables that are nobody's business.
    owner
        .run("create table t (id int references orders); create table u (id int primary key, parent int references u)")
        .await;
    boss.run("create table by_boss (id int references orders)").await;
    app.inside(A, "create temp table p (id int primary key) on commit drop; create temp table c (id int references p) on commit drop").await;
}

/// A partition has the keys of the table above it: its owner makes it as ever.
#[tokio::test]
async fn in_a_partition_of_ones_own() {
    let db = shop("fk_partition").await;
    let (boss, owner) = (db.superuser().await, db.owner().await);
    let app = &db.roles.app;
    boss.run(&format!("grant create on schema public to {app}; grant references on orders to {app}")).await;
    boss.run(&format!(
        "create table lines (tenant_id uuid, order_id int, d int) partition by range (d); alter table lines owner to {app};
         select tenant.protect('lines'); alter table lines add foreign key (order_id) references orders"
    ))
    .await;
    let maker = db.app().await;
    maker.run("create table lines_1 partition of lines for values from (0) to (10)").await;
    maker.run("create table lines_2 (like lines); alter table lines attach partition lines_2 for values from (10) to (20)").await;
    maker.expect_error("TN037", "create table other (order_id int references orders)").await; // TN037
    maker.expect_error("TN037", "alter table lines add foreign key (d) references orders").await;
    owner.run("create table mine (order_id int references orders)").await;
    maker.inside(A, "insert into lines (order_id, d) values (1, 1), (2, 11)").await;
}
