//! A grant has ended, or its time is over, and its login goes on: in the open transaction, with its next statement.

use std::time::Duration;

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::A;
use tokio::time::sleep;

use super::fixture::{COUNT, ann, asked, bob, by, enter, roll_back, support_shop};

/// Runs the statement until it is refused.
async fn until_refused(session: &Session, sql: &str) -> String {
    loop {
        match session.batch_execute(&format!("savepoint s; {sql}; release s")).await {
            Ok(()) => sleep(Duration::from_millis(20)).await,
            Err(error) => return error.code().expect("an error of the server").code().to_owned(),
        }
    }
}

#[tokio::test]
async fn when_it_was_ended() {
    let db = support_shop("imp_ended").await;
    let (ann, bob, admin) = (ann(&db).await, bob(&db).await, db.admin().await);
    for (ends, next) in [
        (&ann, COUNT),
        (&bob, "select 1"),
        (&admin, "copy orders to stdout"),
        (&admin, "copy (select 1) to stdout"),
        (&admin, "fetch from c"),
        (&admin, "move from c"),
        (&admin, "execute p"),
        (&admin, "do $$ begin perform from orders; end $$"),
        (&admin, "table pg_class"),
        (&admin, "savepoint t; set local work_mem = '5MB'"),
    ] {
        let id = asked(&ann, A, "null", "").await;
        // The one that is ended is not the session's own: it ends from another one.
        let session = super::fixture::ann(&db).await;
        session
            .run(&format!(
                "prepare p as {COUNT}; begin; {}; declare c cursor for table orders; {COUNT}; fetch from c",
                enter(&id)
            ))
            .await;
        ends.run(&format!("select tenant.end_impersonation('{id}', 'enough')")).await;
        let error = session.expect_error("TN159", next).await;
        assert!(error.detail().is_some_and(|d| d.contains("ended")), "{error:?}");
        roll_back(&session).await;
        session.expect_error("TN159", &enter(&id)).await;
        ends.run(&format!("select tenant.end_impersonation('{id}')")).await; // once more: nothing
    }
    for session in [&ann, &bob, &admin] {
        session.expect_error("TN158", "select tenant.end_impersonation('00000000-0000-4000-8000-000000000000')").await;
    }
    db.app().await.expect_error("42501", "select tenant.end_impersonation(null)").await;
    // Another one of the same tenant goes on.
    let (one, two) = (asked(&ann, A, "null", "").await, asked(&ann, A, "null", "").await);
    ann.run(&format!("begin; {}", enter(&one))).await;
    bob.run(&format!("select tenant.end_impersonation('{two}')")).await;
    assert_eq!(ann.value(COUNT).await.as_deref(), Some("3"));
    roll_back(&ann).await;
}

#[tokio::test]
async fn when_its_time_is_over() {
    let db = support_shop("imp_over").await;
    let ann = ann(&db).await;
    // It may be over before it is entered, on a machine that is busy: then there is nothing to go on.
    for lasts in ["300 ms", "1 s", "5 s"] {
        let id = asked(&ann, A, "null", &format!(", lasts => '{lasts}'")).await;
        if ann.batch_execute(&format!("begin; {}", enter(&id))).await.is_ok() {
            assert_eq!(until_refused(&ann, COUNT).await, "TN159");
            roll_back(&ann).await;
            ann.expect_error("TN159", &enter(&id)).await;
            break;
        }
        roll_back(&ann).await;
    }
    // Within one function, too, whose statements are many; its own time limit may come first.
    let id = asked(&ann, A, "null", ", lasts => '2 s'").await;
    let endless = "do $$ begin loop perform count(*) from orders; perform pg_sleep(0.01); end loop; end $$";
    ann.run(&format!("begin; {}", enter(&id))).await;
    let error = ann.batch_execute(endless).await.expect_err("it ends");
    let code = error.code().expect("an error of the server").code().to_owned();
    assert!(["TN159", "57014"].contains(&&*code), "{code}");
    roll_back(&ann).await;
}

/// No statement may go on for longer than the grant had left.
#[tokio::test]
async fn in_one_long_statement() {
    let db = support_shop("imp_long").await;
    let ann = ann(&db).await;
    let id = asked(&ann, A, "null", ", lasts => '30 s'").await;
    ann.run(&format!("begin; {}", enter(&id))).await;
    let timeout = "select extract(epoch from current_setting('statement_timeout')::interval) between 1 and 30";
    assert_eq!(ann.value(timeout).await.as_deref(), Some("t"));
    ann.expect_error("TN009", "set local statement_timeout = 0").await;
    roll_back(&ann).await;
}

/// What it wrote and did not commit is undone; what was only read may end as it will.
#[tokio::test]
async fn by_committing() {
    let db = support_shop("imp_commit").await;
    let (ann, admin) = (ann(&db).await, db.admin().await);
    let id = asked(&ann, A, "null", ", write => true").await;
    ann.run(&format!("begin; {}; update orders set note = 'by support'; commit", enter(&id))).await;
    ann.run(&format!("begin; {}; delete from orders", enter(&id))).await;
    admin.run(&format!("select tenant.end_impersonation('{id}')")).await;
    ann.expect_error("TN159", "commit").await;
    let app = db.app().await;
    let left = app.inside_value(A, "select count(*) from orders where note = 'by support'").await;
    assert_eq!(left.as_deref(), Some("3"), "the first is kept, the second undone");
    let id = asked(&ann, A, "null", "").await;
    assert_eq!(by(&ann, &id, COUNT).await.as_deref(), Some("3"));
    ann.run(&format!("begin; {}; {COUNT}", enter(&id))).await;
    admin.run(&format!("select tenant.end_impersonation('{id}')")).await;
    ann.run("commit").await;
}

/// The longest that one may last is a setting, which can be lowered while they are open.
#[tokio::test]
async fn for_longer_than_is_allowed() {
    let db = support_shop("imp_longest").await;
    let boss = db.superuser().await;
    let session = ann(&db).await;
    for lasts in ["2 hours", "0", "-1 s", "1 month"] {
        let error = session
            .expect_error("TN158", &format!("select tenant.impersonate('{A}', null, 'x', lasts => '{lasts}')"))
            .await;
        assert!(error.detail().is_some_and(|d| d.contains("max_impersonation")), "{error:?}");
    }
    session.expect_error("TN158", &format!("select tenant.impersonate('{A}', null, 'x', lasts => null)")).await;
    session.expect_error("42501", "set pg_tenant.max_impersonation = '1 d'").await;
    let id = asked(&session, A, "null", "").await;
    boss.run(&format!("alter database {} set pg_tenant.max_impersonation = '1 s'", db.name)).await;
    let later = ann(&db).await;
    later.run("select pg_sleep(1.1)").await;
    later.expect_error("TN159", &enter(&id)).await;
}
