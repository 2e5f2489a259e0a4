//! A table that 0.1.0 protected: it works as before, is guarded, and gets this version's fence.

use super::fixture::{A, B, stage, table, text};

const FORMER: &str = "(tenant_id = tenant.current_uuid())";

fn former(name: &str) -> String {
    format!(
        "set pg_tenant.guards = off;
         alter policy tenant_isolation on {name} using {FORMER} with check {FORMER};
         alter policy tenant_access on {name} using {FORMER} with check {FORMER}; set pg_tenant.guards = on"
    )
}

const FORMERLY: &str = "select count(*) from pg_policies where tablename ~ 'orders|parts' and qual !~ 'is_current'";

#[tokio::test]
async fn after_the_upgrade() {
    let (db, owner) = stage("former").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    owner.run(&table("orders")).await;
    owner.run("create table parts (tenant_id uuid, id int) partition by range (id); create table parts_1 partition of parts for values from (0) to (9)").await;
    owner.run("create policy also on orders using (tenant_id = tenant.current_uuid())").await;
    owner.run("select tenant.protect('orders'), tenant.protect('parts')").await;
    owner.run("create policy mine on orders as restrictive for select using (tenant_id = tenant.current_uuid())").await;
    boss.run(&format!("create policy tenant_access on orders using {FORMER}")).await;
    for name in ["orders", "parts", "parts_1"] {
        boss.run(&former(name)).await;
    }
    // As before: kept apart, refused with no tenant, guarded.
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("1"));
    app.expect_error("TN001", "select * from orders").await;
    app.refused_inside("42501", A, &format!("insert into orders values ('{B}', 4)")).await;
    owner.expect_error("TN030", "drop policy tenant_isolation on orders").await;
    owner.expect_error("TN030", "alter table orders drop column tenant_id").await;
    app.refused_inside("TN011", A, "merge into orders using (values (1)) v on true when matched then delete").await;

    // What protect made is mended, what others made stays.
    assert_eq!(text(&owner, FORMERLY).await, "8");
    owner.run("call tenant.upgrade_fences()").await;
    assert_eq!(text(&owner, FORMERLY).await, "2", "the policies `also` and `mine`");
    assert_eq!(text(&owner, "select count(*) from tenant.protected_tables").await, "3");
    boss.run(&former("orders")).await;
    owner.run("begin; call tenant.upgrade_fences(stepwise => false); commit").await;
    assert_eq!(text(&owner, FORMERLY).await, "2");
    boss.run(&former("orders")).await;
    owner.run("select tenant.protect('orders')").await;
    assert_eq!(text(&owner, FORMERLY).await, "2");
    // And back is a way that is guarded.
    owner.expect_error("TN030", &format!("alter policy tenant_isolation on orders using {FORMER}")).await;
    boss.run(&former("orders")).await;
    owner.run("select tenant.unprotect('orders', 'test')").await;
    assert_eq!(
        text(&owner, "select count(*) from tenant.protected_tables where relation = 'orders'::regclass").await,
        "0"
    );
}

/// A table that cannot be had is left for later.
#[tokio::test]
async fn where_somebody_uses_it() {
    let (db, owner) = stage("former_busy").await;
    let boss = db.superuser().await;
    owner.run(&(table("orders") + "create table parts (tenant_id uuid, id int);")).await;
    owner.run("select tenant.protect('orders'), tenant.protect('parts')").await;
    for name in ["orders", "parts"] {
        boss.run(&former(name)).await;
    }
    let reader = db.superuser().await;
    reader.run("begin; select * from orders").await;
    owner.run("call tenant.upgrade_fences()").await;
    let told = owner.notices();
    assert!(told.iter().any(|notice| notice.message().contains("orders")), "{told:?}");
    assert_eq!(text(&owner, FORMERLY).await, "2");
    reader.run("rollback").await;
    owner.run("call tenant.upgrade_fences()").await;
    assert_eq!(text(&owner, FORMERLY).await, "0");
}
