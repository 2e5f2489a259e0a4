//! What reads across tenants for PostgreSQL's own sake is refused, or is fooled by a policy: referential checks,
//! cascades, new constraints, VACUUM, ANALYZE, CREATE INDEX, REINDEX, CLUSTER.

use pg_tenant_tests::Database;
use pg_tenant_tests::shop::{A, B, shop};

/// `lines`, protected, whose rows refer to `orders` by id alone: order 1 is A's, 4 is B's.
async fn lines(db: &Database<'_>, reference: &str) {
    let owner = db.owner().await;
    owner.run(&format!("create table lines (tenant_id uuid, order_id int {reference}, n int)")).await;
    owner.run(&format!("insert into lines values ('{A}', 1, 1), ('{A}', 1, 2), ('{B}', 4, 3)")).await;
    db.superuser().await.run("select tenant.protect('lines')").await;
}

#[tokio::test]
async fn referential_checks() {
    let db = shop("references").await;
    db.owner().await.run("alter table orders add unique (tenant_id, id)").await;
    db.superuser().await.run("select tenant.unprotect('orders', 'to refer to it')").await;
    let owner = db.owner().await;
    owner.run("create table lines (tenant_id uuid, order_id int, foreign key (tenant_id, order_id) references orders (tenant_id, id) on delete cascade on update cascade)").await;
    owner.run(&format!("insert into lines values ('{A}', 1), ('{A}', 2), ('{B}', 4)")).await;
    db.superuser().await.run("select tenant.protect('orders'); select tenant.protect('lines')").await;
    let app = db.app().await;
    app.inside(A, "insert into lines (order_id) values (3)").await;
    app.refused_inside("23503", A, "insert into lines (order_id) values (4)").await; // B's order
    app.inside(A, "delete from orders where id = 1; update orders set id = 20 where id = 2").await;
    let lines = app.inside_value(A, "select string_agg(order_id::text, ' ' order by order_id) from lines").await;
    assert_eq!(lines.as_deref(), Some("3 20"));
    assert_eq!(app.inside_value(B, "select count(*) from lines").await.as_deref(), Some("1"));
    db.superuser().await.run("delete from orders").await;
    assert_eq!(db.superuser().await.value("select count(*) from lines").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn new_foreign_keys() {
    let db = shop("newkeys").await;
    lines(&db, "").await;
    let owner = db.owner().await;
    let add = "alter table lines add constraint l foreign key (order_id) references orders";
    owner.run(&format!("{add}; alter table lines drop constraint l; {add} not valid; alter table lines validate constraint l; alter table lines drop constraint l")).await;
    // An orphan of one tenant: with a policy in its way PostgreSQL would see none, and call the key valid.
    let stock = "create table stock_lines (order_id int, hidden bool); insert into stock_lines values (77, true);
        alter table stock_lines enable row level security, force row level security;
        create policy p on stock_lines using (not hidden);
        alter table stock_lines add constraint l foreign key (order_id) references stock_orders";
    owner.run(stock).await; // stock: valid, with an orphan
    db.superuser().await.run(&format!("insert into lines values ('{B}', 77, 4)")).await;
    owner.expect_error("23503", add).await;
    owner.expect_error("23503", &format!("begin; {add} not valid; alter table lines validate constraint l")).await;
    owner.run("rollback").await;
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
    owner.refused_inside("TN032", A, add).await;
    // A table of neither tenant that refers to a protected one.
    owner.run("create table tags (order_id int); insert into tags values (1), (4)").await;
    owner.run("alter table tags add foreign key (order_id) references orders").await;
    owner.run("create table more (order_id int); insert into more values (78)").await;
    owner.expect_error("23503", "alter table more add foreign key (order_id) references orders").await;
    owner.expect_error("23503", "insert into tags values (79)").await;
    owner.refused_inside("TN032", A, "alter table more add foreign key (order_id) references orders").await;
    // By a superuser, who is exempt: one query, and every row is seen.
    db.superuser().await.expect_error("23503", add).await;
    db.superuser().await.run("delete from lines where order_id = 77").await;
    db.superuser().await.run(add).await;
}

#[tokio::test]
async fn other_constraints_and_definitions() {
    let db = shop("definitions").await;
    let owner = db.owner().await;
    for sql in [
        "alter table orders add check (id > 0)",
        "alter table orders add constraint c check (note <> '') not valid; alter table orders validate constraint c",
        "alter table orders alter note set not null",
        "alter table orders alter id type bigint",
        "alter table orders add unique (tenant_id, note)",
        "alter table orders add n int default 7",
        "alter table orders drop n",
        "create index on orders (note)",
        "comment on table orders is 'x'",
        "alter table orders set (fillfactor = 90)",
        "create statistics together on tenant_id, note from orders",
    ] {
        owner.run(sql).await;
    }
    owner.expect_error("23514", "alter table orders add check (id < 5)").await; // B's order 5
    owner.run("create unique index late on orders (note); create table rows_of_b (n int)").await;
}

#[tokio::test]
async fn upkeep() {
    let db = shop("upkeep").await;
    let owner = db.owner().await;
    for sql in [
        "analyze orders",
        "vacuum orders",
        "vacuum (full, analyze) orders",
        "create index concurrently by_note on orders (note)",
        "reindex table orders",
        "reindex index concurrently by_note",
        "cluster orders using orders_pkey",
        "drop index concurrently by_note",
        "lock table orders",
    ] {
        let sql = if sql.starts_with("lock") { format!("begin; {sql}; commit") } else { sql.to_owned() };
        owner.run(&sql).await;
    }
    let estimate = db.superuser().await.value("select reltuples from pg_class where oid = 'orders'::regclass").await;
    assert_eq!(estimate.as_deref(), Some("5"), "every tenant's rows were counted");
}
