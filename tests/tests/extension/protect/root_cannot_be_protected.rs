//! The table of the tenants themselves is protected by its own key, and what gives that key to a new tenant stays.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{stage, text};

#[tokio::test]
async fn by_its_own_key() {
    for (name, id, key) in [
        ("default", "id uuid primary key default gen_random_uuid()", "uuid"),
        ("none", "id uuid primary key", "uuid"),
        ("text", "id text not null unique default gen_random_uuid()::text", "text"),
    ] {
        let (db, owner) = stage(&format!("root_{name}")).await;
        let app = db.app().await;
        owner
            .run(&format!(
                "create table companies ({id}, name text);
                 create table orders (tenant_id {key} references companies (id), id int);
                 insert into companies values ('{A}', 'a'), ('{B}', 'b');
                 select tenant.protect('orders')"
            ))
            .await;
        // The hole: each tenant reads and changes the others.
        assert_eq!(app.inside_value(A, "select count(*) from companies").await.as_deref(), Some("2"));
        let said = "select result from tenant.protect_schema('public') where relation = 'companies'::regclass";
        assert_eq!(
            text(&owner, said).await,
            "not protected: no column \"tenant_id\", and it is the table of the tenants: select tenant.protect('public.companies', 'id');"
        );
        owner
            .run("select tenant.protect('companies', 'id', harden => true), tenant.protect('orders', harden => true)")
            .await;
        assert_eq!(app.inside_value(A, "select name from companies").await.as_deref(), Some("a"));
        app.inside(A, "insert into orders (id) values (1)").await;
        app.expect_error("TN001", "select * from companies").await; // TN001
        app.refused_inside("42501", A, "insert into companies values (gen_random_uuid(), 'c')").await;
        app.refused_inside("42501", A, &format!("insert into orders values ('{B}', 1)")).await;
        let boss = db.superuser().await;
        if name != "none" {
            boss.run("insert into companies (name) values ('new')").await; // as before
            assert!(text(&boss, "select id from companies where name = 'new'").await.len() > 30);
            app.refused_inside("42501", A, "insert into companies (name) values ('c')").await;
        }
        assert_eq!(text(&boss, "select count(*) from tenant.doctor() where code in ('T055', 'T113')").await, "0");
        owner.run("select tenant.unprotect('companies', 'x'), tenant.protect('companies', 'id')").await;
    }
}

#[tokio::test]
async fn by_its_identity() {
    for kind in ["always", "by default"] {
        let (db, owner) = stage(&format!("root_{}", &kind[..2])).await;
        let app = db.app().await;
        owner
            .run(&format!(
                "select tenant.create(1), tenant.create(2);
                 create table accounts (id bigint generated {kind} as identity primary key, name text);
                 insert into accounts (name) values ('one'), ('two');
                 create table events (account_id bigint references accounts, id int);
                 select tenant.protect('accounts', 'id'), tenant.protect('events', 'account_id')"
            ))
            .await;
        assert_eq!(app.inside_value("2", "select name from accounts").await.as_deref(), Some("two"));
        app.inside("2", "insert into events (id) values (1); update accounts set name = 'TWO'").await;
        app.refused_inside("42501", "2", "insert into accounts (name) values ('three')").await;
        db.superuser().await.run("insert into accounts (name) values ('three')").await;
    }
    // A column that is generated and no key is none for a tenant.
    let (_db, owner) = stage("identity_only").await;
    owner.run("create table t (tenant_id bigint generated always as identity, id int)").await;
    owner.expect_error("TN022", "select tenant.protect('t')").await; // TN022
}

#[tokio::test]
async fn at_most_one_row_a_tenant() {
    let (db, owner) = stage("one_row").await;
    owner
        .run("create table settings (tenant_id uuid primary key, theme text); select tenant.protect('settings')")
        .await;
    db.app().await.inside(A, "insert into settings (theme) values ('dark')").await; // its default is the tenant
}
