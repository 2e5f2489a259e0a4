//! A transaction takes the place of one that failed only where nothing was lost with that one.

use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn where_it_had_written_nothing() {
    let db = shop("anew").await;
    let app = db.app().await;
    let left_nothing = async || app.value("select tenant.left_nothing()::text").await.as_deref() == Some("true");
    for (before, lost) in [
        ("select 1", false),
        ("select count(*) from orders", false),
        ("savepoint s; select 1; rollback to s", false),
        ("select 1 / 0", false),
        ("insert into orders (id, note) values (99, 'x')", true),
        ("savepoint s; insert into orders (id, note) values (99, 'x'); rollback to s", true),
        ("select from orders for update", true),
        ("set transaction isolation level repeatable read; select 1", true),
    ] {
        let begun = format!("begin; select tenant.enter('{A}')");
        let begun = if before.starts_with("set transaction") { "begin" } else { &begun };
        let done = app.batch_execute(&format!("{begun}; {before}")).await;
        assert_eq!(done.is_err(), before.contains("/ 0"), "{before}: {done:?}");
        app.run("rollback; begin").await;
        assert_eq!(left_nothing().await, !lost, "{before}");
        if lost {
            app.expect_error("40001", "select tenant.begin_anew()").await;
        } else {
            app.run("select tenant.begin_anew()").await;
        }
        app.run("rollback").await;
    }
    // Committed, it is not to be begun again; and this one must see each commit as well.
    app.run("begin; select 1; commit; begin").await;
    app.expect_error("40001", "select tenant.begin_anew()").await;
    app.run("rollback; begin isolation level serializable").await;
    app.expect_error("40001", "select tenant.begin_anew()").await;
    app.run("rollback").await;
    // Nobody but who may enter asks.
    let nobody = db.superuser().await;
    nobody.run("create role regress_anew_nobody; set role regress_anew_nobody").await;
    nobody.expect_error("42501", "select tenant.left_nothing()").await;
    nobody.expect_error("42501", "select tenant.begin_anew()").await;
    nobody.run("reset role; drop role regress_anew_nobody").await;
}
