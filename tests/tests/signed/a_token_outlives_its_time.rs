//! An expired token is refused, also where it was accepted before.

use std::time::{Duration, Instant};

use pg_tenant_tests::shop::A;

use crate::fixture::{SECRET, enter, hs, now, shop_with_keys, verdict};

#[tokio::test]
async fn in_a_session_that_has_verified_it() {
    let (db, _) = shop_with_keys("expires").await;
    let app = db.app().await;
    // However slow the machine is, one of these is entered while it is good.
    let (mut entered, mut token) = (false, String::new());
    for seconds in [2, 5, 10, 20, 40] {
        token = hs("hs", SECRET, &format!(r#"{{"tenant_id":"{A}","sub":"ann","exp":{}}}"#, now() + seconds));
        app.run("begin").await;
        entered = enter(&app, &token).await.is_ok() && enter(&app, &token).await.is_ok();
        if entered {
            break;
        }
        app.run("rollback").await;
    }
    assert!(entered, "no token was entered in time");
    // Its transaction goes on when it expires; entering again is another use.
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        app.run("savepoint s").await;
        match enter(&app, &token).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(error) => {
                assert_eq!(error.code().code(), "TN094");
                break;
            }
        }
        assert!(Instant::now() < until, "it is good for ever");
    }
    app.run("rollback to s").await;
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"));
    app.run("commit").await;
    assert_eq!(verdict(&app, &token).await, "TN094");
}
