//! What most tests work on: two tenants, and their orders in a table that the extension protects and in one that
//! PostgreSQL's own row-level security does.

use crate::Database;

/// A tenant with the orders 1, 2, 3.
pub const A: &str = "aaaaaaaa-0000-4000-8000-00000000000a";
/// A tenant with the orders 4, 5.
pub const B: &str = "bbbbbbbb-0000-4000-8000-00000000000b";

/// A database with both tenants and, the owner's, `orders` (protected) and `stock_orders` (the usual policy, over the
/// custom setting `app.tenant`), with the same rows. An application that has chosen [`A`] sees three of them.
pub async fn shop(name: &str) -> Database<'static> {
    let db = crate::database(name).await;
    db.admin().await.run(&format!("select tenant.create('{A}', slug => 'a'), tenant.create('{B}', slug => 'b')")).await;
    let orders = |table: &str| {
        format!(
            "create table {table} (tenant_id uuid not null, id int primary key, note text);
             insert into {table} select case when n < 4 then '{A}' else '{B}' end::uuid, n, 'note ' || n
                from generate_series(1, 5) n;"
        )
    };
    let owner = db.owner().await;
    owner.run(&(orders("orders") + &orders("stock_orders"))).await;
    owner
        .run(
            "alter table stock_orders enable row level security, force row level security;
             create policy by_setting on stock_orders
                using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);",
        )
        .await;
    db.superuser().await.run("select tenant.protect('orders')").await;
    db
}
