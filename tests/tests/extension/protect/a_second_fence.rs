//! A table with two fences: what the owner adds takes nothing from what `protect` has made.

use super::fixture::{A, stage, table, text};

#[tokio::test]
async fn takes_the_first_ones_guard() {
    let (db, owner) = stage("second_fence").await;
    let boss = db.superuser().await;
    let plain = format!("regress_{}_plain", db.name);
    boss.run(&format!("create role {plain} login; {}; alter table orders owner to {plain}", table("orders"))).await;
    boss.run(&format!("grant create on schema public to {plain}; grant usage on schema tenant to {plain}; grant select on orders to {}", db.roles.app)).await;
    boss.run("select tenant.protect('orders')").await;
    let plain = db.connect(&plain).await;
    let app = db.app().await;
    for (name, condition) in [
        ("a_first", "x = tenant.current_uuid()"),
        ("b_first", "x = tenant.current_uuid() and tenant.is_current(x)"),
        ("c_first", "tenant.is_current(x)"),
    ] {
        plain.run(&format!("alter table orders add column x uuid default '{A}'")).await;
        plain
            .run(&format!("create policy {name} on orders as restrictive using ({condition}) with check ({condition})"))
            .await;
        for weaker in [
            "alter table orders drop column tenant_id cascade",
            "alter table orders alter column tenant_id drop not null",
            "alter table orders alter column tenant_id type text using tenant_id::text",
            "drop policy tenant_isolation on orders",
            "alter policy tenant_isolation on orders using (true) with check (true)",
            "alter policy tenant_isolation on orders rename to other",
            "alter table orders disable row level security",
        ] {
            plain.expect_error("TN030", weaker).await;
        }
        assert_eq!(
            text(&owner, "select string_agg(tenant_column, ' ') from tenant.protected_tables").await,
            "tenant_id"
        );
        // Both hold: a permissive policy of the owner's opens nothing.
        plain.run("create policy open_all on orders using (true)").await;
        assert_eq!(app.inside_value(A, "select string_agg(note, ' ') from orders").await.as_deref(), Some("of a"));
        boss.run(&format!("set pg_tenant.guards = off; drop policy {name} on orders; reset pg_tenant.guards")).await;
        plain.run("drop policy open_all on orders; alter table orders drop column x").await;
    }
}

/// On the same column: an index that is asked for the tenant takes the place of both, whichever form they have.
#[tokio::test]
async fn is_missed_in_a_plan() {
    let (db, owner) = stage("two_on_one").await;
    owner
        .run(&format!(
            "create table orders (tenant_id uuid, id int, primary key (tenant_id, id)); insert into orders values ('{A}', 1);
             create table roles (tenant_id uuid, id int, unique (tenant_id, id)); insert into roles values (null, 0), ('{A}', 1);
             select tenant.protect('orders'), tenant.protect('roles', shared_rows => true); grant all on orders, roles to public;
             create policy own on orders as restrictive using (tenant_id = tenant.current_uuid() and tenant.is_current(tenant_id));
             create policy once_more on roles as restrictive
                using ((tenant_id = tenant.current_uuid() or tenant_id is null) and tenant.is_current_or_shared(tenant_id))
                with check (tenant.is_current(tenant_id))"
        ))
        .await;
    let app = db.app().await;
    app.run("set enable_seqscan = off; set enable_bitmapscan = off").await;
    let both = "select (select count(*) from orders where id = 1) + 10 * (select count(*) from roles)
        + 100 * (select count(*) from roles where tenant_id = tenant.current_uuid())";
    assert_eq!(app.inside_value(A, both).await.as_deref(), Some("121"));
    assert_eq!(app.inside_value(A, "update roles set id = 2 returning id").await.as_deref(), Some("2"));
    // And one that shows less than the first.
    owner.run("create policy narrow on roles as restrictive using (tenant.is_current(tenant_id))").await;
    assert_eq!(app.inside_value(A, both).await.as_deref(), Some("111"));
    app.inside(A, "delete from orders where id = 1; delete from roles").await;
}
