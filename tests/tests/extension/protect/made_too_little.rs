//! `protect` makes every part of a protection. Each is tested on its own, since one that is missing opens the table or
//! makes it slow.

use super::fixture::{A, B, catalog, stage, table, text};

#[tokio::test]
async fn a_part_of_the_fence_is_missing() {
    let (db, owner) = stage("parts").await;
    owner.run(&table("orders")).await;
    owner.run("select tenant.protect('orders')").await;
    let condition = "((tenant_id = tenant.current_uuid()) AND tenant.is_current(tenant_id))";
    assert_eq!(
        catalog(&owner, "orders").await,
        format!(
            "orders rls t force t
orders policy tenant_access permissive t * to {{0}} using {condition} check {condition}
orders policy tenant_isolation permissive f * to {{0}} using {condition} check {condition}
orders.tenant_id not null t default tenant.current_uuid()
orders.id not null f default 
orders.note not null f default 
CREATE INDEX orders_tenant_id_idx ON public.orders USING btree (tenant_id)"
        )
    );
    let app = db.app().await;
    app.inside(A, "insert into orders (id) values (3)").await; // the default
    assert_eq!(
        app.inside_value(A, "select string_agg(id::text, ' ' order by id) from orders").await.as_deref(),
        Some("1 3")
    );
    app.refused_inside("42501", A, &format!("insert into orders values ('{B}', 4)")).await; // WITH CHECK
    app.refused_inside("42501", A, &format!("update orders set tenant_id = '{B}'")).await;
    owner.expect_error("TN001", "select * from orders").await; // FORCE: the owner is no exception
}

#[tokio::test]
async fn an_index_is_made_twice_or_not_at_all() {
    let (_db, owner) = stage("indexes").await;
    let made = async |definition: &str| {
        owner.run(&format!("create table t (tenant_id uuid, id int); {definition}")).await;
        let count = "select count(*) from pg_index where indrelid = 't'::regclass";
        let before: u32 = text(&owner, count).await.parse().expect("a number");
        owner.run("select tenant.protect('t')").await;
        let after: u32 = text(&owner, count).await.parse().expect("a number");
        owner.run("drop table t").await;
        after - before
    };
    // One that leads with the column serves.
    assert_eq!(made("alter table t add primary key (tenant_id, id)").await, 0);
    assert_eq!(made("create index on t (tenant_id desc, id)").await, 0);
    assert_eq!(made("create index on t (tenant_id) include (id)").await, 0);
    // None of these does.
    assert_eq!(made("create index on t (id, tenant_id)").await, 1);
    assert_eq!(made("create index on t (tenant_id) where id > 0").await, 1);
    assert_eq!(made("create index on t using hash (tenant_id)").await, 1);
    assert_eq!(made("create index on t ((tenant_id::text))").await, 1);
}

#[tokio::test]
async fn a_type_of_column_keeps_nothing_apart() {
    let (db, owner) = stage("types").await;
    let numbers = "select tenant.create('7'), tenant.create('8'), tenant.create('acme'), tenant.create('globex')";
    owner.run(numbers).await;
    let app = db.app().await;
    for (column, one, other) in [
        ("uuid", A, B),
        ("bigint", "7", "8"),
        ("integer", "7", "8"),
        ("smallint", "7", "8"),
        ("text", "acme", "globex"),
        ("varchar", "acme", "globex"),
        ("varchar(40)", "acme", "globex"),
        ("text collate \"C\"", "acme", "globex"),
        ("text", A, B),
    ] {
        owner.run(&format!("create table t (tenant_id {column}, note text)")).await;
        owner.run(&format!("insert into t values ('{one}', 'one'), ('{other}', 'other')")).await;
        owner.run("select tenant.protect('t')").await;
        app.inside(one, "insert into t (note) values ('made')").await;
        let seen = app.inside_value(one, "select string_agg(note, ' ' order by note) from t").await;
        assert_eq!(seen.as_deref(), Some("made one"), "{column}");
        app.refused_inside("42501", one, &format!("insert into t values ('{other}')")).await;
        owner.run("drop table t").await;
    }
}

#[tokio::test]
async fn another_name_of_the_column_is_kept() {
    let (db, owner) = stage("named").await;
    let odd = r#""Firma Nr.""#;
    db.superuser().await.run(&format!(r#"create schema "S" authorization {}"#, db.roles.owner)).await;
    db.superuser().await.run(&format!("grant create on database {} to {}", db.name, db.roles.owner)).await; // to rename
    owner.run(&format!(r#"create table "S"."T;" ({odd} uuid, n int)"#)).await;
    owner.run(&format!(r#"insert into "S"."T;" values ('{A}', 1), ('{B}', 2)"#)).await;
    owner.run(r#"select tenant.protect('"S"."T;"', tenant_column => 'Firma Nr.')"#).await;
    let app = &db.roles.app;
    owner.run(&format!(r#"grant usage on schema "S" to {app}; grant all on "S"."T;" to {app}"#)).await;
    let app = db.app().await;
    assert_eq!(app.inside_value(B, r#"select sum(n) from "S"."T;""#).await.as_deref(), Some("2"));
    // The mark is the policy: it follows the column, the table and the schema to other names.
    owner.run(&format!(r#"alter table "S"."T;" rename column {odd} to tenant"#)).await;
    owner.run(r#"alter table "S"."T;" rename to t; alter schema "S" rename to s"#).await;
    app.expect_error("TN001", "select * from s.t").await;
    assert_eq!(app.inside_value(B, "select sum(n) from s.t").await.as_deref(), Some("2"));
    assert_eq!(
        text(&owner, "select tenant_column from tenant.protected_tables where relation = 's.t'::regclass").await,
        "tenant"
    );
}
