//! Without the extension its tables deny: whoever drops it with CASCADE has tables that show nothing, not everything.

use pg_tenant_tests::shop::{A, B, shop};

#[tokio::test]
async fn a_drop_with_cascade_opens_the_tables() {
    for drop in ["drop extension pg_tenant cascade", "drop schema tenant cascade"] {
        let db = shop("gone").await;
        let (boss, app, owner) = (db.superuser().await, db.app().await, db.owner().await);
        // The hole that `using (true)` for the permissive policy would be: the fence goes, the rest stays.
        boss.run(
            "create table stock (tenant_id uuid); insert into stock select tenant_id from orders;
             alter table stock enable row level security, force row level security;
             create policy fence on stock as restrictive using (tenant_id = tenant.current_uuid());
             create policy rest on stock using (true);",
        )
        .await;
        boss.run(&format!("grant select on stock to {}", db.roles.app)).await;
        boss.expect_error("2BP01", "drop extension pg_tenant").await; // PostgreSQL's own: policies need it
        owner.expect_error("42501", "drop extension pg_tenant cascade").await;
        if boss.batch_execute(drop).await.is_err() {
            boss.run("drop extension pg_tenant cascade; drop schema if exists tenant cascade").await;
        }
        assert_eq!(app.value("select count(*) from stock").await.as_deref(), Some("5"));

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
async fn a_drop_inside_a_transaction_is_half_done() {
    let db = shop("gone_and_back").await;
    let (boss, app) = (db.superuser().await, db.app().await);
    boss.run("begin; drop extension pg_tenant cascade; rollback").await;
    app.expect_error("TN001", "select * from orders").await;
    assert_eq!(app.inside_value(A, "select count(*) from orders").await.as_deref(), Some("3"));
    boss.refused_inside("TN032", A, "drop extension pg_tenant cascade").await;
}
