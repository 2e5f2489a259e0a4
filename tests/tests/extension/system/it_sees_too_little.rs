//! The system context does what it is for: it reads and writes the rows of all tenants.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, B};

use super::fixture::{COUNT, READ, WRITE, operator, system_shop};

#[tokio::test]
async fn when_it_reads() {
    let db = system_shop("system_reads").await;
    let session = operator(&db).await;
    session.run(&format!("begin; {READ}")).await;
    for (sql, expected) in [
        (COUNT, "5"),
        ("select count(distinct tenant_id) from orders", "2"),
        ("select count(*) from tenant.tenants", "2"),
        ("select count(*) from stock_orders", "5"),
    ] {
        assert_eq!(session.value(sql).await.as_deref(), Some(expected), "{sql}");
    }
    session.run("declare c cursor for table orders; fetch 2 from c; explain analyze table orders; commit").await;
    // No right on a table comes with the role.
    db.owner().await.run("create table later (tenant_id uuid not null)").await;
    db.superuser().await.run("select tenant.protect('later')").await;
    session.expect_error("42501", &format!("begin; {READ}; table later")).await;
    session.run("rollback").await;
}

#[tokio::test]
async fn when_it_writes() {
    let db = system_shop("system_writes").await;
    db.owner()
        .await
        .run(
            "create table lines (tenant_id uuid not null, id int, order_id int references orders (id) on delete cascade);
             grant select, insert, update, delete, truncate on lines to tenant_system",
        )
        .await;
    db.superuser().await.run("select tenant.protect('lines')").await;
    let session = operator(&db).await;
    session.run(&format!("begin; {WRITE}")).await;
    session.run(&format!("insert into orders (tenant_id, id) values ('{A}', 10), ('{B}', 11)")).await;
    session.run(&format!("insert into lines values ('{A}', 1, 10), ('{B}', 2, 11), ('{B}', 3, 4)")).await;
    session
        .run(
            "update orders set note = 'all'; merge into lines l using orders o on o.id = l.order_id
        when matched then update set id = l.id + 10",
        )
        .await;
    session.run("delete from orders where id = 11").await;
    assert_eq!(
        session.value("select string_agg(id::text, ' ' order by id) from lines").await.as_deref(),
        Some("11 13")
    );
    session.run("savepoint s").await;
    // The reader that is the column's default has no tenant to give.
    session.expect_error("23502", "insert into orders (id) values (12)").await;
    session.run("rollback to s").await;
    session.expect_error("23503", &format!("insert into lines values ('{A}', 4, 999)")).await;
    session.run("rollback to s; create temp table work on commit drop as table orders; truncate lines; commit").await;
    for (tenant, orders) in [(A, "1 2 3 10"), (B, "4 5")] {
        let seen = session.inside_value(tenant, "select string_agg(id::text, ' ' order by id) from orders").await;
        assert_eq!(seen.as_deref(), Some(orders));
    }
}

/// Everything a worker needs to start on a table of any size.
fn force_workers() -> String {
    let force = if Install::current().major == 15 { "force_parallel_mode" } else { "debug_parallel_query" };
    format!(
        "set {force} = on; set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set enable_indexonlyscan = off;
         set min_parallel_table_scan_size = 0; set max_parallel_workers_per_gather = 2; set enable_indexscan = off"
    )
}

#[tokio::test]
async fn in_a_parallel_worker() {
    let db = system_shop("system_workers").await;
    db.owner()
        .await
        .run(&format!(
            "create table lines (tenant_id uuid, n int); grant select on lines to tenant_system;
             insert into lines select case when n % 4 = 0 then '{A}' else '{B}' end::uuid, n from generate_series(1, 20000) n;
             analyze lines"
        ))
        .await;
    db.superuser().await.run("select tenant.protect('lines')").await;
    let session = operator(&db).await;
    session.run(&(force_workers() + "; set enable_bitmapscan = off")).await;
    // Entered with a journal line, which makes it a transaction that has written, and without.
    let count = "select count(*) from lines where n + 0 > 0 and tenant.in_system_context()";
    for begin in ["begin", "begin read only"] {
        session.run(&format!("{begin}; {READ}")).await;
        let plan = session.rows(&format!("explain (analyze, costs off, timing off, summary off) {count}")).await;
        let plan: Vec<_> = plan.into_iter().filter_map(|mut row| row.remove(0)).collect();
        assert!(plan.iter().any(|line| line.contains("Workers Launched: 2")), "no workers: {plan:#?}");
        assert_eq!(session.value(count).await.as_deref(), Some("20000"), "{begin}");
        session.run("commit").await;
        session.expect_error("TN001", count).await;
    }
}

/// Plans of one are not the other's.
#[tokio::test]
async fn in_a_plan_made_for_a_tenant() {
    let db = system_shop("system_plans").await;
    let session = operator(&db).await;
    for mode in ["force_generic_plan", "force_custom_plan", "auto"] {
        session.run(&format!("set plan_cache_mode = {mode}")).await;
        let statement = session.prepare("select count(*) from orders where id > $1").await.expect("prepare");
        for _ in 0..7 {
            for (enter, orders) in [(format!("select tenant.enter('{A}')"), 3i64), (READ.to_owned(), 5)] {
                session.run(&format!("begin; {enter}")).await;
                let row = session.query_one(&statement, &[&0i32]).await.expect("query");
                assert_eq!(row.get::<_, i64>(0), orders, "{mode}");
                session.run("commit").await;
            }
        }
        let error = session.query(&statement, &[&0i32]).await.expect_err("no tenant");
        assert_eq!(error.code().map(|c| c.code()), Some("TN001"), "{mode}");
    }
}

/// Partitions, children, views of the invoker's: what has a tenant's policy shows all of it.
#[tokio::test]
async fn of_a_hierarchy() {
    let db = system_shop("system_parts").await;
    db.owner()
        .await
        .run(&format!(
            "create table parts (tenant_id uuid not null, id int) partition by range (id);
             create table parts_1 partition of parts for values from (0) to (100);
             create view all_parts with (security_invoker) as table parts;
             insert into parts values ('{A}', 1), ('{B}', 2);
             grant select, insert on parts, parts_1, all_parts to tenant_system"
        ))
        .await;
    db.superuser().await.run("select tenant.protect('parts')").await;
    // A partition that nobody has protected yet is refused to tenants, and says nothing about tenants here.
    db.owner().await.run("create table parts_2 partition of parts for values from (100) to (200)").await;
    db.owner().await.run("grant select, insert on parts_2 to tenant_system").await;
    let session = operator(&db).await;
    session.run(&format!("begin; {WRITE}; insert into parts values ('{A}', 3), ('{B}', 104)")).await;
    for (table, rows) in [("parts", "4"), ("parts_1", "3"), ("parts_2", "1"), ("all_parts", "4")] {
        assert_eq!(session.value(&format!("select count(*) from {table}")).await.as_deref(), Some(rows), "{table}");
    }
    session.expect_error("TN016", "reset role; table parts_2").await;
    session.run("rollback").await;
}

/// What is refused to a tenant because it holds every tenant's rows, or stands in front of them.
#[tokio::test]
async fn of_what_no_tenant_may_read() {
    let db = system_shop("system_uncovered").await;
    let (owner, boss) = (db.owner().await, db.superuser().await);
    owner.run("create table lines (tenant_id uuid not null, id int)").await;
    owner.run(&format!("insert into lines values ('{A}', 1), ('{B}', 2)")).await;
    owner.run("create materialized view line_count as select count(*) from lines").await;
    owner.run("grant select on lines, line_count to tenant_system, tenant_user").await;
    boss.run("select tenant.share('line_count', 'a test'), tenant.protect('lines')").await;
    boss.run("delete from tenant.shared").await;
    let session = operator(&db).await;
    session.refused_inside("TN065", A, "table line_count").await;
    session.run(&format!("begin; {READ}")).await;
    assert_eq!(session.value("table line_count").await.as_deref(), Some("2"));
    session.run("commit").await;

    session.run("create temp table orders (id int); grant select on orders to tenant_system").await;
    session.refused_inside("TN066", A, "table orders").await;
    session.run(&format!("begin; {READ}; table orders; commit")).await;
}
