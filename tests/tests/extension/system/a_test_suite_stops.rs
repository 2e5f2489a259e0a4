//! Test mode: a suite that runs each test in one transaction, with savepoints in place of the application's, works with
//! several tenants; outside of it nothing is another.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

const COUNT: &str = "select count(*) from orders";

async fn test_database(name: &str) -> Database<'static> {
    let db = shop(name).await;
    db.superuser().await.run(&format!("alter database {} set pg_tenant.test_mode = on", db.name)).await;
    db
}

async fn entered(session: &Session) -> Option<String> {
    session.value("select tenant.current_id()").await
}

/// What tests do: savepoint, enter, work, release or roll back; then another tenant.
async fn several_tenants(session: &Session) {
    session.run("begin").await;
    for (tenant, rows, end) in
        [(A, "3", "release s"), (B, "2", "release s"), (A, "3", "rollback to s"), (B, "2", "release s")]
    {
        session.run(&format!("savepoint s; select tenant.enter('{tenant}')")).await;
        assert_eq!(session.value(COUNT).await.as_deref(), Some(rows));
        session.run("savepoint inner_one; update orders set note = note; release inner_one").await;
        assert_eq!(entered(session).await.as_deref(), Some(tenant), "an inner savepoint is not its end");
        session.run(end).await;
        assert_eq!(entered(session).await, None, "{end}");
    }
    session.run("rollback").await;
}

#[tokio::test]
async fn at_the_second_tenant() {
    let db = test_database("test_mode").await;
    let app = db.app().await;
    several_tenants(&app).await;
    // A tenant of the transaction itself stays, and is one.
    app.run(&format!("begin; select tenant.enter('{A}'); savepoint s")).await;
    app.expect_error("TN005", &format!("select tenant.enter('{B}')")).await;
    app.run(&format!("rollback to s; select tenant.enter('{A}'); release s")).await;
    assert_eq!(entered(&app).await.as_deref(), Some(A));
    app.run("rollback").await;
    // After a savepoint nothing is entered: refused as ever; an outer savepoint that is undone brings nobody back.
    app.run(&format!("begin; savepoint o; savepoint s; select tenant.enter('{A}'); release s; savepoint t; select tenant.enter('{B}')")).await;
    app.run("rollback to t").await;
    assert_eq!(entered(&app).await, None);
    app.run("rollback to o").await;
    assert_eq!(entered(&app).await, None);
    app.expect_error("TN001", COUNT).await;
    app.run("rollback").await;
    // Where the database is not in test mode, the transaction has its one tenant, however savepoints end.
    let db = shop("no_test_mode").await;
    let app = db.app().await;
    for end in ["release s", "rollback to s"] {
        app.run(&format!("begin; savepoint s; select tenant.enter('{A}'); {end}")).await;
        app.expect_error("TN005", &format!("select tenant.enter('{B}')")).await;
        app.run("rollback").await;
    }
    app.expect_error("42501", "set pg_tenant.test_mode = on").await;
    db.superuser().await.expect_error("22023", "set pg_tenant.test_mode = on").await; // nobody turns it on for a session
}

#[tokio::test]
async fn at_the_system_context() {
    let db = test_database("test_mode_system").await;
    db.superuser()
        .await
        .run(&format!("grant tenant_system to {0}; grant select on orders to tenant_system", db.roles.app))
        .await;
    let app = db.app().await;
    app.run("begin").await;
    for end in ["release s", "rollback to s"] {
        app.run("savepoint s; select tenant.enter_system('a test')").await;
        assert_eq!(app.value(COUNT).await.as_deref(), Some("5"));
        app.run(end).await;
        assert_eq!(app.value("select current_user").await.as_deref(), Some(db.roles.app.as_str()), "{end}");
        app.run(&format!("savepoint s; select tenant.enter('{A}'); insert into orders (id) values (90); release s"))
            .await;
        app.run(&format!("savepoint s; select tenant.enter('{A}'); delete from orders where id = 90; release s")).await;
    }
    app.run("savepoint s").await;
    app.expect_error("TN001", COUNT).await;
    app.run("rollback").await;
}

#[tokio::test]
async fn at_the_flush_of_its_tables() {
    let db = test_database("test_mode_truncate").await;
    db.owner().await.run("truncate orders, stock_orders cascade").await;
    assert_eq!(db.superuser().await.value(COUNT).await.as_deref(), Some("0"));
    // The owner's alone, and not a tenant's.
    db.superuser()
        .await
        .run(&format!("grant truncate on orders to {0}; grant tenant_user to {1}", db.roles.app, db.roles.owner))
        .await;
    db.app().await.expect_error("TN031", "truncate orders").await;
    db.owner().await.expect_error("TN031", &format!("begin; select tenant.enter('{A}'); truncate orders")).await;
    let db = shop("no_test_mode_truncate").await;
    db.owner().await.expect_error("TN031", "truncate orders").await;
}

#[tokio::test]
async fn and_each_session_is_told() {
    let db = test_database("test_mode_told").await;
    let app = db.app().await;
    app.run("select 1; select 2").await;
    app.run("select 3").await;
    let told: Vec<_> = app.notices().into_iter().map(|notice| notice.code().code().to_owned()).collect();
    assert_eq!(told, ["TN019"]); // TN019
}
