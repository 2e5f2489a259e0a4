//! Policies that a table has of its own are kept, and none of them widens what a tenant sees; with either of ours lost
//! the table shows nothing.

use super::fixture::{A, B, stage, table, text};

const OPEN: &str = "create policy open on orders using (true) with check (true)";

#[tokio::test]
async fn a_permissive_policy_opens_the_table() {
    let (db, owner) = stage("permissive").await;
    let app = db.app().await;
    owner.run(&table("orders")).await;
    // The hole: on stock PostgreSQL permissive policies are OR-ed, and the wider one wins.
    owner
        .run(
            "alter table orders enable row level security, force row level security;
             create policy own on orders using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);",
        )
        .await;
    owner.run(OPEN).await;
    assert_eq!(text(&app, &format!("set app.tenant = '{A}'; select count(*) from orders")).await, "2");

    owner.run("select tenant.protect('orders')").await;
    let policies =
        "select string_agg(polname, ' ' order by polname) from pg_policy where polrelid = 'orders'::regclass";
    assert_eq!(text(&owner, policies).await, "open own tenant_isolation"); // both kept; no tenant_access is needed
    assert_eq!(app.inside_value(A, "select string_agg(note, ' ') from orders").await.as_deref(), Some("of a"));
    app.refused_inside("42501", A, &format!("insert into orders values ('{B}', 3)")).await;
    app.expect_error("TN001", "select * from orders").await;
}

#[tokio::test]
async fn a_policy_added_later_opens_the_table() {
    let (db, owner) = stage("added").await;
    let app = db.app().await;
    owner.run(&(table("orders") + "select tenant.protect('orders')")).await;
    owner.run(OPEN).await; // the owner may; it changes nothing
    assert_eq!(app.inside_value(A, "select string_agg(note, ' ') from orders").await.as_deref(), Some("of a"));
    app.refused_inside("42501", A, &format!("update orders set tenant_id = '{B}'")).await;
    // A restrictive one narrows, as it should.
    owner.run("create policy few on orders as restrictive using (id > 100)").await;
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn losing_a_policy_opens_the_table() {
    let (db, owner) = stage("losing").await;
    let app = db.app().await;
    for lost in ["tenant_access", "tenant_isolation"] {
        owner.run(&(table("orders") + "select tenant.protect('orders')")).await;
        db.superuser().await.run(&format!("set pg_tenant.guards = off; drop policy {lost} on orders")).await;
        let strangers = "select count(*) from orders where tenant_id is distinct from";
        let seen = app.inside_value(A, &format!("{strangers} '{A}'")).await;
        assert_eq!(seen.as_deref(), Some("0"), "without {lost}");
        // With no tenant: refused, or nothing there.
        match lost {
            "tenant_access" => drop(app.expect_error("TN001", "select * from orders").await),
            _ => assert_eq!(text(&app, "select count(*) from orders").await, "0"),
        }
        app.refused_inside("42501", A, &format!("insert into orders values ('{B}', 3)")).await;
        owner.run("select tenant.protect('orders')").await; // heals
        app.expect_error("TN001", "select * from orders").await;
        assert_eq!(app.inside_value(A, "select string_agg(note, ' ') from orders").await.as_deref(), Some("of a"));
        owner.run("drop table orders").await;
    }
}

#[tokio::test]
async fn a_policy_is_not_ours_by_its_name() {
    let (db, owner) = stage("named_so").await;
    let app = db.app().await;
    // Each has the name and lacks something: none is the mark of protection, and protect says so.
    for policy in [
        "using (tenant_id = tenant.current_uuid())", // permissive
        "as restrictive using (true)",               // no equality
        "as restrictive for select using (tenant_id = tenant.current_uuid())", // not every command
        "as restrictive to tenant_user using (tenant_id = tenant.current_uuid())", // not everybody
        "as restrictive using (tenant_id = tenant.current_uuid() or id > 0)",
        "as restrictive using (tenant_id = tenant.current_uuid()) with check (true)",
        "as restrictive using (tenant_id = '00000000-0000-0000-0000-000000000000')",
    ] {
        owner.run(&table("orders")).await;
        owner.run("alter table orders enable row level security; create policy all_of_it on orders using (true)").await;
        owner.run(&format!("create policy tenant_isolation on orders {policy}")).await;
        assert_eq!(text(&owner, "select count(*) from tenant.protected_tables").await, "0", "{policy}");
        owner.expect_error("TN026", "select tenant.protect('orders')").await;
        owner.run("alter policy tenant_isolation on orders rename to theirs; select tenant.protect('orders')").await;
        app.expect_error("TN001", "select * from orders").await;
        owner.run("drop table orders").await;
    }
    // The name is cosmetic: ours under another name protects.
    owner.run(&(table("orders") + "alter table orders enable row level security, force row level security;")).await;
    owner.run("create policy fence on orders as restrictive using (tenant_id = tenant.current_uuid())").await;
    app.expect_error("TN001", "select * from orders").await;
    owner.expect_error("TN030", "drop policy fence on orders").await;
}
