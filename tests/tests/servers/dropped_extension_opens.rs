//! Without the extension its tables deny: whoever drops it with CASCADE has tables that show nothing, not everything.

use pg_tenant_tests::shop::{A, B, shop};

#[tokio::test]
async fn a_drop_with_cascade_opens_the_tables() {
    for drop in ["drop extension pg_tenant cascade", "drop schema tenant cascade"] {
        let db = shop("gone").await;
        let (boss, app, owner) = (db.superuser().await, db.app().await, db.owner().await);
        boss.expect_error("2BP01", "drop extension pg_tenant").await; // PostgreSQL's own: policies need it
        owner.expect_error("42501", "drop extension pg_tenant cascade").await;
        boss.run(drop).await;
        for session in [&app, &owner] {
            assert_eq!(session.value("select count(*) from orders").await.as_deref(), Some("0"), "{drop}");
            session.expect_error("42501", &format!("insert into orders values ('{A}', 9)")).await;
            session.run("update orders set note = 'x'; delete from orders").await; // no row of it
        }
        assert_eq!(boss.value("select count(*) from orders").await.as_deref(), Some("5"));

        // Installed again, and protected again, it is what it was.
        boss.run("create extension pg_tenant").await;
        assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("0"));
        boss.run(&format!("select tenant.create('{A}'), tenant.create('{B}'), tenant.protect('orders')")).await;
        app.expect_error("TN001", "select * from orders").await;
        assert_eq!(app.inside_value(B, "select count(*) from orders").await.as_deref(), Some("2"));
        app.inside(A, "insert into orders (id) values (9)").await;
    }
}

#[tokio::test]
async fn a_policy_of_the_tables_own_is_left() {
    let db = shop("own_policy").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    // With the fence gone, this policy alone would show every tenant's rows.
    db.owner().await.run("create policy open on orders using (true)").await;
    boss.expect_error("TN030", "drop extension pg_tenant cascade").await; // TN030
    boss.expect_error("TN030", "drop schema tenant cascade").await;
    app.expect_error("TN001", "select * from orders").await; // undone
    // Whoever means it turns the guards off, and it is as it would be on stock PostgreSQL.
    boss.run("begin; set local pg_tenant.guards = off; drop extension pg_tenant cascade").await;
    boss.run(&format!("set local role {}", db.roles.app)).await;
    assert_eq!(boss.value("select count(*) from orders").await.as_deref(), Some("5"));
    boss.run("rollback; drop policy open on orders; drop extension pg_tenant cascade").await;
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_drop_inside_a_transaction_is_half_done() {
    let db = shop("gone_and_back").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run("begin; drop extension pg_tenant cascade; rollback").await;
    app.expect_error("TN001", "select * from orders").await;
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("3"));
    boss.refused_inside("TN032", A, "drop extension pg_tenant cascade").await;
}
