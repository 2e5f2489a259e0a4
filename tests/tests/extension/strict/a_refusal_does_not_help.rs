//! The refusal of a statement with no tenant says what to do in its message: many drivers and ORMs show nothing else.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, shop};

async fn message(session: &Session, sql: &str) -> String {
    session.expect_error("TN001", sql).await.message().to_owned() // TN001
}

#[tokio::test]
async fn to_whoever_forgot_to_enter() {
    let db = shop("helps").await;
    let app = db.app().await;
    let plain = message(&app, "select * from orders").await;
    assert!(plain.ends_with("entered none: begin; select tenant.enter('<tenant id>') first"), "{plain}");
    app.run("begin").await;
    let in_block = message(&app, "select * from orders").await;
    assert!(in_block.ends_with("entered none: select tenant.enter('<tenant id>') first"), "{in_block}");
    app.run("rollback").await;
}

#[tokio::test]
async fn to_whoever_forgot_to_begin() {
    let db = shop("begin_first").await;
    let app = db.app().await;
    app.run(&format!("select tenant.enter('{A}')")).await;
    for _ in 0..2 {
        let refused = app.expect_error("TN001", "select * from orders").await;
        assert!(refused.message().ends_with("has ended with its statement: begin; before tenant.enter"), "{refused:?}");
        assert!(!format!("{refused:?}").contains(A), "{refused:?}");
    }
    // As it says: in one transaction, or in one message, and then the session is like any other.
    assert_eq!(app.rows(&format!("select tenant.enter('{A}'); select id from orders")).await.len(), 4);
    app.inside(A, "select * from orders").await;
    let after = message(&app, "select * from orders").await;
    assert!(after.ends_with("first"), "{after}");
}

#[tokio::test]
async fn to_the_owner() {
    let db = shop("owner_way").await;
    let owner = db.owner().await;
    let told = message(&owner, "update orders set note = 'backfilled'").await;
    assert!(told.contains("begin; select tenant.enter_system_as_owner('<reason>') first"), "{told}");
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.owner)).await;
    let told = message(&owner, "update orders set note = 'backfilled'").await;
    assert!(told.contains("select tenant.enter('<tenant id>') first"), "{told}");
}
