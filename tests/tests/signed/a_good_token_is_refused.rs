//! A valid token is accepted, and the transaction has what it says.

use pg_tenant_tests::shop::{A, B};

use crate::fixture::{enter, now, shop_with_keys, token, verdict};

#[tokio::test]
async fn of_one_of_the_four_algorithms() {
    let (db, keys) = shop_with_keys("algorithms").await;
    let app = db.app().await;
    for kid in ["hs", "ed", "es", "rs"] {
        let claims =
            format!(r#"{{"tenant_id":"{A}","sub":"ann","role":"clerk","exp":{},"iat":{}}}"#, now() + 600, now());
        let token = keys.sign(kid, &claims);
        for _ in 0..2 {
            app.run("begin").await;
            assert_eq!(enter(&app, &token).await.expect("enter"), A, "{kid}");
            let row = app
                .query_one(
                    "select tenant.current_id(), tenant.current_actor(), tenant.current_actor_role(), count(*) from orders",
                    &[],
                )
                .await
                .expect("orders");
            let said: (&str, &str, &str, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
            assert_eq!(said, (A, "ann", "clerk", 3), "{kid}");
            app.run("commit").await;
        }
    }
}

#[tokio::test]
async fn with_nobody_in_it() {
    let (db, _) = shop_with_keys("nobody").await;
    let app = db.app().await;
    app.run("begin").await;
    enter(&app, &token(B, None, None)).await.expect("enter");
    let nobody =
        "select tenant.current_actor() is null and tenant.current_actor_role() is null and tenant.current_id() = ";
    assert_eq!(app.value(&format!("{nobody}'{B}'")).await.as_deref(), Some("t"));
    app.run("commit").await;
    // Out of a transaction it lasts for the statement.
    enter(&app, &token(B, Some("ann"), None)).await.expect("enter");
    assert_eq!(app.value("select tenant.current_actor()").await, None);
}

#[tokio::test]
async fn twice_in_a_transaction() {
    let (db, _) = shop_with_keys("twice").await;
    let app = db.app().await;
    app.run("begin").await;
    // Another token of the same actor is a fresher one.
    for token in [token(A, Some("ann"), None), crate::fixture::hs("hs", crate::fixture::SECRET, &fresher())] {
        assert_eq!(enter(&app, &token).await.expect("enter"), A);
    }
    // What was entered with a token needs no more of it.
    app.run(&format!("select tenant.enter('{A}')")).await;
    assert_eq!(app.value("select tenant.current_actor()").await.as_deref(), Some("ann"));
    app.run("commit").await;
}

fn fresher() -> String {
    format!(r#"{{"tenant_id":"{A}","sub":"ann","exp":{}}}"#, now() + 1200)
}

#[tokio::test]
async fn from_a_pool() {
    let (db, _) = shop_with_keys("pristine").await;
    let app = db.app().await;
    let token = token(A, Some("ann"), None);
    let enter = app.prepare("select tenant.enter_signed_pristine($1)").await.expect("prepare");
    assert_eq!(app.query_one(&enter, &[&token]).await.expect("enter").get::<_, &str>(0), A);
    app.run("set work_mem = '8MB'").await;
    let error = app.query_one(&enter, &[&token]).await.expect_err("a session that was used");
    assert_eq!(error.code().map(|code| code.code()), Some("TN008"));
    assert_eq!(verdict(&app, &token).await, "");
}
