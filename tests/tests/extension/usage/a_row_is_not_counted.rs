//! A meter that counts rows has the number of rows there are, whatever puts them there or takes them away.

use pg_tenant_tests::shop::{A, B};
use pg_tenant_tests::{Database, Session, copy_in};

use super::fixture::{counted, stripes_are_sound, used, used_by};

/// The count is what the table has, of both tenants.
async fn is_exact(db: &Database<'_>, admin: &Session) {
    let backup = db.backup().await;
    for tenant in [A, B] {
        let rows = backup
            .value(&format!("set row_security = off; select count(*) from orders where tenant_id = '{tenant}'"))
            .await;
        assert_eq!(Some(used_by(admin, tenant, "orders").await), rows, "{tenant}");
    }
    stripes_are_sound(db).await;
}

#[tokio::test]
async fn by_any_statement() {
    let (db, admin, app) = counted("rows_any").await;
    is_exact(&db, &admin).await;
    let ten = "insert into orders (id, note) select n, 'more' from generate_series(101, 107) n";
    app.inside(A, ten).await;
    assert_eq!(used(&admin, "orders").await, "10");
    app.refused_inside("TN171", A, "insert into orders (id) values (200)").await;
    app.refused_inside("TN171", A, "insert into orders (id) select n from generate_series(200, 300) n").await;
    for (statements, left) in [
        ("delete from orders where id in (101, 102)", "8"),
        ("insert into orders (id) values (101), (102)", "10"),
        ("delete from orders where id = 101; insert into orders (id) values (101)", "10"),
        ("savepoint s; delete from orders; rollback to s", "10"),
        ("insert into orders (id, note) values (101, 'x') on conflict (id) do update set note = excluded.note", "10"),
        ("insert into orders (id) values (101) on conflict do nothing", "10"),
        ("update orders set note = 'all'", "10"),
        (
            "with gone as (delete from orders where id = 101 returning 301 as id) insert into orders (id) select id from gone",
            "10",
        ),
        ("delete from orders", "0"),
    ] {
        app.inside(A, statements).await;
        assert_eq!(used(&admin, "orders").await, left, "{statements}");
        is_exact(&db, &admin).await;
    }
    assert_eq!(used_by(&admin, B, "orders").await, "2");
}

/// In the system context rows go to another tenant, and are removed of all.
#[tokio::test]
async fn by_operators() {
    let (db, admin, _app) = counted("rows_operators").await;
    let boss = db.superuser().await;
    boss.run(&format!("update orders set tenant_id = '{B}' where id = 1")).await;
    is_exact(&db, &admin).await;
    boss.run(&format!("update orders set tenant_id = '{A}'")).await;
    assert_eq!((used(&admin, "orders").await, used_by(&admin, B, "orders").await), ("5".into(), "0".into()));
    boss.expect_error("TN171", &format!("insert into orders select '{A}', n from generate_series(500, 505) n")).await;
    let lines = [format!("{A}\t501\n"), format!("{B}\t502\n")];
    copy_in(&boss, "copy orders (tenant_id, id) from stdin", lines.into_iter()).await.expect("two lines");
    is_exact(&db, &admin).await;
    boss.run("delete from orders where id > 500").await;
    // Whoever loads data turns triggers off.
    boss.run(&format!(
        "begin; set local session_replication_role = replica; insert into orders values ('{A}', 500); commit"
    ))
    .await;
    is_exact(&db, &admin).await;
    boss.run("begin; delete from orders; rollback").await;
    is_exact(&db, &admin).await;
    boss.run("set pg_tenant.guards = off; truncate orders").await;
    is_exact(&db, &admin).await;
    boss.run("begin isolation level repeatable read; select 1").await;
    boss.expect_error("TN174", "truncate orders").await;
    boss.run("rollback").await;
    // What is there when it is first counted may be beyond the limit, and is then given back only.
    boss.run("select tenant.unmeter_rows('orders', 'a test')").await;
    boss.run(&format!("insert into orders select '{A}', n from generate_series(1, 12) n")).await;
    boss.run("select tenant.meter_rows('orders', 'orders')").await;
    is_exact(&db, &admin).await;
    let app = db.app().await;
    app.refused_inside("TN171", A, "insert into orders (id) values (100)").await;
    app.inside(A, "delete from orders where id = 1; update orders set note = ''").await;
    app.refused_inside("TN171", A, "insert into orders (id) values (100)").await;
    app.inside(A, "delete from orders where id < 4; insert into orders (id) values (100)").await;
    is_exact(&db, &admin).await;
}

#[tokio::test]
async fn by_those_who_insert_at_once() {
    let (db, admin, app) = counted("rows_race").await;
    let workers: Vec<_> = (0..16)
        .map(|worker| {
            let config = db.config(&db.roles.app);
            tokio::spawn(async move {
                let session = Session::connect(&config).await;
                let id = 1000 + worker;
                let insert =
                    format!("begin; select tenant.enter('{A}'); insert into orders (id) values ({id}); commit");
                let answer = session.batch_execute(&insert).await;
                answer.map_err(|error| error.code().map(|code| code.code().to_owned()))
            })
        })
        .collect();
    let mut made = 0;
    for worker in workers {
        match worker.await.expect("a worker") {
            Ok(()) => made += 1,
            Err(code) => assert_eq!(code.as_deref(), Some("TN171")),
        }
    }
    assert_eq!((made, used(&admin, "orders").await), (7, "10".to_owned()));
    is_exact(&db, &admin).await;
    drop(app);
}

/// Partitions, cascades, and rows that do not count.
#[tokio::test]
async fn in_a_hierarchy() {
    let (db, admin, app) = counted("rows_parts").await;
    let (owner, boss) = (db.owner().await, db.superuser().await);
    owner
        .run(
            "create table lists (tenant_id text, id int, primary key (tenant_id, id));
        create table items (tenant_id text, id int, list int, done_at timestamptz) partition by range (id);
        create table items_1 partition of items for values from (0) to (100);
        create table items_2 partition of items for values from (100) to (200)",
        )
        .await;
    boss.run("select tenant.protect('lists'), tenant.protect('items')").await;
    owner
        .run(&format!(
            "alter table items add foreign key (tenant_id, list) references lists on delete cascade;
        grant select, insert, update, delete on lists, items, items_1 to {}",
            db.roles.app
        ))
        .await;
    admin.run("select tenant.define_meter('open_items', 'items', 'forever', hard_limit => 5)").await;
    boss.run("select tenant.meter_rows('open_items', 'items', 'done_at')").await;
    for (statements, left) in [
        ("insert into lists (id) values (1), (2); insert into items (id, list) values (1, 1), (2, 1), (101, 2)", "3"),
        ("insert into items_1 (id, list) values (3, 1)", "4"),
        ("update items set id = id + 100 where id = 2", "4"),
        ("update items set done_at = now() where id = 1", "3"),
        ("insert into items (id, list, done_at) values (9, 1, now())", "3"),
        ("delete from items where id = 9", "3"),
        ("update items set done_at = null where id = 1", "4"),
        ("delete from lists where id = 1", "1"),
    ] {
        app.inside(A, statements).await;
        assert_eq!(used(&admin, "open_items").await, left, "{statements}");
    }
    // A partition that comes later counts, with what it brings.
    boss.run(&format!("grant tenant_system to {}", db.roles.owner)).await;
    owner.run("begin; select tenant.enter_system_as_owner('a migration'); create table items_5 partition of items for values from (500) to (600); commit").await;
    owner
        .run(&format!(
            "create table items_3 partition of items for values from (200) to (300);
        create table items_4 (like items including all); insert into items_4 values ('{A}', 300, 2), ('{A}', 301, 2)"
        ))
        .await;
    boss.run("alter table items attach partition items_4 for values from (300) to (400)").await;
    assert_eq!(used(&admin, "open_items").await, "3");
    app.inside(A, "insert into items (id, list) values (200, 2), (302, 2)").await;
    app.refused_inside("TN171", A, "insert into items (id, list) values (201, 2)").await;
    assert_eq!(used(&admin, "open_items").await, "5");
    boss.run("set pg_tenant.guards = off; truncate items_4").await;
    assert_eq!(used(&admin, "open_items").await, "2");
    stripes_are_sound(&db).await;
}

#[tokio::test]
async fn by_a_table_that_cannot_be() {
    let (db, admin, app) = counted("rows_cannot").await;
    let (owner, boss) = (db.owner().await, db.superuser().await);
    owner.run("create table plain (tenant_id text)").await;
    admin.run("select tenant.define_meter('calls', 'calls'), tenant.define_meter('more', 'rows', 'forever')").await;
    for (code, call) in [
        ("TN174", "select tenant.meter_rows('more', 'plain')"),
        ("TN174", "select tenant.meter_rows('more', 'orders')"),
        ("TN174", "select tenant.meter_rows('orders', 'orders', 'nothing')"),
        ("TN174", "select tenant.meter_rows('calls', 'orders')"),
        ("TN170", "select tenant.meter_rows('nothing', 'orders')"),
        ("TN170", "select tenant.unmeter_rows('more', 'none')"),
        ("TN170", "select tenant.drop_meter('orders', 'counts')"),
        ("TN029", "select tenant.unmeter_rows('orders', '')"),
    ] {
        let refused = boss.expect_error(code, call).await;
        assert!(refused.hint().is_some(), "{call}");
    }
    admin.expect_error("42501", "select tenant.meter_rows('orders', 'orders')").await;
    admin.expect_error("42501", "select tenant.unmeter_rows('orders', 'mine')").await;
    app.refused_inside("TN172", A, "select tenant.consume('orders', 1)").await;
    boss.run("select tenant.unmeter_rows('orders', 'over'), tenant.drop_meter('orders', 'over')").await;
    app.inside(A, "insert into orders (id) select n from generate_series(600, 700) n").await;
    let left = "select count(*) from pg_trigger where tgname like 'tenant_meter%'";
    assert_eq!(boss.value(left).await.as_deref(), Some("0"));
}
