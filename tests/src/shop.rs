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
    shop_on(crate::Cluster::shared(), name).await
}

/// As [`shop`], on a server of the test's own.
pub async fn shop_on<'c>(cluster: &'c crate::Cluster, name: &str) -> Database<'c> {
    let db = cluster.database(name).await;
    db.admin().await.run(&format!("select tenant.create('{A}', slug => 'a'), tenant.create('{B}', slug => 'b')")).await;
    db.owner().await.run(&(orders("orders") + &orders("stock_orders") + STOCK_POLICY)).await;
    db.superuser().await.run("select tenant.protect('orders')").await;
    db
}

/// A database without the extension, where PostgreSQL does what it always does: `stock_orders` alone.
pub async fn stock_shop(name: &str) -> Database<'static> {
    let db = crate::Cluster::shared().plain_database(name).await;
    db.owner().await.run(&(orders("stock_orders") + STOCK_POLICY)).await;
    db
}

fn orders(table: &str) -> String {
    format!(
        "create table {table} (tenant_id uuid not null, id int primary key, note text);
         insert into {table} select case when n < 4 then '{A}' else '{B}' end::uuid, n, 'note ' || n
            from generate_series(1, 5) n;"
    )
}

const STOCK_POLICY: &str = "alter table stock_orders enable row level security, force row level security;
    create policy by_setting on stock_orders
        using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);";
