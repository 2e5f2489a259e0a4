//! A trigger runs in the transaction of whoever writes: somebody who may put one on a table works in every tenant.

use pg_tenant_tests::shop::{A, B, shop};

#[tokio::test]
async fn takes_rows_of_other_tenants() {
    let db = shop("trojan").await;
    let (owner, other, app) = (db.owner().await, db.bystander().await, db.app().await);
    owner.run(&format!("grant trigger on orders, stock_orders to {}", db.roles.bystander)).await;
    db.superuser().await.run(&format!("grant create on schema public to {}", db.roles.bystander)).await;
    other
        .run(
            "create table loot (note text); grant insert on loot to public;
             create function take() returns trigger language plpgsql as $$
                begin insert into loot values (new.note); return new; end $$",
        )
        .await;
    let create = "create trigger take before insert on {t} for each row execute function take()";
    // The hole: it works in every tenant's session.
    other.run(&create.replace("{t}", "stock_orders")).await;
    app.run(&format!(
        "begin; set local app.tenant = '{B}'; insert into stock_orders values ('{B}', 9, 'of b'); commit"
    ))
    .await;
    assert_eq!(other.value("select note from loot").await.as_deref(), Some("of b"));

    let refused = other.expect_error("TN061", &create.replace("{t}", "orders")).await; // TN061
    assert!(refused.hint().is_some_and(|hint| hint.contains("revoke trigger")), "{refused:?}");
    other
        .expect_error("TN061", &create.replace("create trigger", "create or replace trigger").replace("{t}", "orders"))
        .await;
    other
        .expect_error(
            "TN061",
            &create.replace("before", "after").replace("create", "create constraint").replace("{t}", "orders"),
        )
        .await;
    // The neighbours: the owner, who is in every tenant's transactions anyway; a superuser; a restore.
    owner.run(&create.replace("{t}", "orders")).await;
    owner.run("drop trigger take on orders").await;
    db.superuser().await.run(&create.replace("{t}", "orders")).await;
    app.inside(A, "insert into orders (id, note) values (10, 'of a')").await;
}
