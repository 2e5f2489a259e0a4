//! A token does not lead into a tenant that may not be entered, nor out of the one that the transaction has.

use pg_tenant_tests::shop::{A, B};

use crate::fixture::{enter, shop_with_keys, token, verdict};

#[tokio::test]
async fn that_is_unknown_suspended_or_none() {
    let (db, _) = shop_with_keys("states").await;
    let app = db.app().await;
    assert_eq!(verdict(&app, &token(B, None, None)).await, "");
    db.admin().await.run(&format!("select tenant.suspend('{B}')")).await;
    // Verified before, and refused all the same.
    assert_eq!(verdict(&app, &token(B, None, None)).await, "TN003");
    assert_eq!(verdict(&app, &token("nobody", None, None)).await, "TN002");
    assert_eq!(verdict(&app, &token("not an id", None, None)).await, "TN004");
}

#[tokio::test]
async fn after_one_was() {
    let (db, _) = shop_with_keys("second").await;
    let app = db.app().await;
    let (ann, bob) = (token(A, Some("ann"), Some("clerk")), token(A, Some("bob"), Some("clerk")));
    let refused = async |code: &str, token: &str| {
        app.run("savepoint refused").await;
        assert_eq!(enter(&app, token).await.expect_err("another").code().code(), code);
        app.run("rollback to refused").await;
    };
    app.run("begin; savepoint s").await;
    enter(&app, &ann).await.expect("enter");
    refused("TN005", &token(B, Some("ann"), Some("clerk"))).await;
    refused("TN099", &bob).await;
    refused("TN099", &token(A, Some("ann"), Some("owner"))).await;
    refused("TN099", &token(A, Some("ann"), None)).await;
    refused("TN099", &token(A, None, Some("annclerk"))).await;
    // Undone by a savepoint, it still is the transaction's.
    app.run("rollback to s").await;
    app.expect_error("TN001", "select * from orders").await;
    app.run("rollback to s").await;
    refused("TN005", &token(B, Some("ann"), Some("clerk"))).await;
    refused("TN099", &bob).await;
    app.expect_error("TN099", &format!("select tenant.enter('{A}')")).await;
    app.run("rollback to s").await;
    enter(&app, &ann).await.expect("the same again");
    assert_eq!(app.value("select tenant.current_actor()").await.as_deref(), Some("ann"));
    app.run("rollback").await;
    // Nobody is somebody else.
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    refused("TN099", &ann).await;
    app.run("rollback; begin").await;
    enter(&app, &bob).await.expect("another transaction");
    app.run("rollback").await;
}

#[tokio::test]
async fn by_a_bound_role() {
    let (db, _) = shop_with_keys("bound").await;
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let app = db.app().await;
    assert_eq!(verdict(&app, &token(B, None, None)).await, "TN006");
    app.run("begin").await;
    enter(&app, &token(A, Some("ann"), None)).await.expect("its own");
    assert_eq!(app.value("select tenant.current_actor()").await.as_deref(), Some("ann"));
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"));
    app.run("commit").await;
    assert_eq!(app.value("select tenant.current_actor()").await, None);
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"), "the binding stays");
}

#[tokio::test]
async fn beside_the_system_context() {
    let (db, _) = shop_with_keys("beside").await;
    let app = db.app().await;
    db.superuser().await.run(&format!("grant tenant_system to {}", db.roles.app)).await;
    let (ann, system) = (token(A, Some("ann"), None), "select tenant.enter_system('a test')");
    app.run(&format!("begin; savepoint s; {system}; rollback to s")).await;
    assert_eq!(enter(&app, &ann).await.expect_err("sealed").code().code(), "TN014");
    app.run("rollback; begin; savepoint s").await;
    enter(&app, &ann).await.expect("enter");
    app.expect_error("TN014", system).await;
    app.expect_error("TN014", &format!("rollback to s; {system}")).await;
    app.run("rollback").await;
}
