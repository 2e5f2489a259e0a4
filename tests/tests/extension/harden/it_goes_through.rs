//! Hardening goes through although rows already cross tenants, a key cannot contain the tenant, or the caller is not
//! the owner. It is refused, says why, and nothing is changed.

use super::fixture::{A, B, keys, stage};

#[tokio::test]
async fn rows_that_cross() {
    let (_db, owner) = stage("crossing").await;
    owner
        .run("create table p (tenant_id uuid, id int primary key); create table c (tenant_id uuid, p int references p)")
        .await;
    owner
        .run(&format!(
            "insert into p values ('{A}', 1), ('{B}', 2); insert into c values ('{A}', 1), ('{B}', 1), ('{B}', 1)"
        ))
        .await;
    let before = keys(&owner).await;
    let refused = owner
        .expect_error("TN087", "select tenant.protect_schema('public', harden => true, stop_on_error => true)")
        .await;
    assert_eq!(refused.message(), "cannot harden public.c: 2 rows of table public.c refer to rows of another tenant");
    assert_eq!(keys(&owner).await, before);
    // The query of the hint finds them, before anything is protected as well.
    let query = refused.hint().and_then(|hint| hint.strip_prefix("As a superuser: ")).expect("a query");
    assert!(query.contains("where child.tenant_id <> parent.tenant_id"), "{query}");
    owner.run("select tenant.protect_schema('public')").await;
    let refused = owner.expect_error("TN087", "select tenant.protect('p', harden => true)").await;
    assert!(refused.message().contains("2 rows"), "{refused:?}");
    // The fences that were lifted to count them are there again.
    assert_eq!(owner.value("select count(*) from tenant.protected_tables where enforced").await.as_deref(), Some("2"));
    owner.expect_error("TN001", "select * from c").await;
    owner.expect_error("TN030", "alter table c disable row level security").await;
}

#[tokio::test]
async fn the_query_of_the_hint_finds_nothing() {
    let (db, owner) = stage("finds").await;
    owner
        .run("create table p (tenant_id uuid, id int primary key); create table c (tenant_id uuid, p int references p)")
        .await;
    owner.run(&format!("insert into p values ('{A}', 1); insert into c values ('{A}', 1), ('{B}', 1)")).await;
    owner.run("select tenant.protect('p'), tenant.protect('c')").await;
    let refused = owner.expect_error("TN087", "select tenant.protect('c', harden => true)").await;
    let query = refused.hint().and_then(|hint| hint.strip_prefix("As a superuser: ")).expect("a query").to_owned();
    let found = db.superuser().await.rows(&query).await;
    assert_eq!(found, [[Some(B.to_owned()), Some("1".into())]]);
    db.superuser().await.run("delete from c where p = 1 and tenant_id <> (select tenant_id from p)").await;
    owner.run("select tenant.protect('c', harden => true)").await;
}

#[tokio::test]
async fn a_key_that_cannot() {
    let (db, owner) = stage("cannot").await;
    owner.run("create table x (tenant_id uuid, at int4range, exclude using gist (at with &&)); select tenant.protect('x')").await;
    let refused = owner.expect_error("TN085", "select tenant.protect('x', harden => true)").await;
    assert!(refused.hint() == Some("create extension btree_gist;") && refused.detail().is_some(), "{refused:?}");
    let rows = owner.rows("select statement, why from tenant.hardening('x')").await;
    assert!(
        rows.len() == 1 && rows[0][0].is_none() && rows[0][1].as_deref().is_some_and(|w| w.contains("TN085")),
        "{rows:?}"
    );

    for ddl in [
        "create table y (tenant_id uuid, at int4range, exclude using spgist (at with &&))",
        "create table p (tenant_id uuid, id int primary key); create table y (tenant_id uuid, p int references p on update set null)",
        "create table p (tenant_id uuid, id int primary key); create table y (tenant_id bigint, p int references p)",
    ] {
        owner.run(&format!("begin; {ddl}; select tenant.protect('y')")).await;
        owner.run("do $$ begin perform tenant.protect('p'); exception when undefined_table then null; end $$").await;
        owner.expect_error("TN086", "select tenant.protect('y', harden => true)").await;
        owner.run("rollback").await;
    }
    owner.expect_error("TN028", "select * from tenant.hardening('pg_class')").await;
    db.app().await.expect_error("42501", "select * from tenant.hardening('x')").await;
}

#[tokio::test]
async fn a_stranger() {
    let (db, owner) = stage("stranger").await;
    owner.run("create table p (tenant_id uuid, id int primary key)").await;
    let admin = db.admin().await;
    admin.expect_error("42501", "select tenant.protect('p', harden => true)").await;
    admin.expect_error("42501", "select tenant_internal.apply_hardening('p', true, false)").await;
    db.app().await.expect_error("42501", "select tenant.protect('p', harden => true)").await;
    // The parts have no rights of their own: who is not the owner gets nowhere with them, and the guards are on.
    owner.run("select tenant.protect('p')").await;
    admin.expect_error("42501", "select tenant_internal.apply_hardening('p', true, false)").await;

    drop(owner);
}

/// Names are the users': one that looks like a refusal of ours is none.
#[tokio::test]
async fn a_name_is_read_as_an_obstacle() {
    let (_db, owner) = stage("named_like_a_code").await;
    owner
        .run(
            "create table p (tenant_id uuid, id int primary key);
             create table c (id int constraint \"TN086: my key: because\" references p);
             create table y (tenant_id uuid, at int4range, constraint \"a: b: c\" exclude using spgist (at with &&));
             select tenant.protect('y')",
        )
        .await;
    owner.notices();
    owner.run("select tenant.protect('p', harden => true)").await; // c is not protected: its key stays, with a notice
    let said: Vec<_> = owner.notices().iter().map(|n| n.message().to_owned()).collect();
    assert!(said.len() == 1 && said[0].starts_with("TN086: my key: because of public.c stays"), "{said:?}");
    let refused = owner.expect_error("TN086", "select tenant.protect('y', harden => true)").await;
    assert_eq!(refused.message(), "cannot harden public.y: a: b: c cannot contain the tenant");
    assert_eq!(refused.detail(), Some("its index method spgist takes one column only."));
}
