//! A grant for reading writes, or a session says that it has one.

use pg_tenant_tests::shop::A;

use super::fixture::{ann, asked, by, enter, roll_back, support_shop};

#[tokio::test]
async fn with_one_for_reading() {
    let db = support_shop("imp_reads").await;
    let ann = ann(&db).await;
    let id = asked(&ann, A, "null", "").await;
    for before in [
        "select 1",
        "set local transaction_read_only = off",
        "set transaction read write",
        "reset transaction_read_only",
        "savepoint s; set local transaction_read_only = off",
        "do $$ begin perform set_config('transaction_read_only', 'off', true); end $$",
        "select set_config('transaction_read_only', 'off', true)",
        "reset all",
        "savepoint s; release s",
        "set local default_transaction_read_only = off",
    ] {
        for write in [
            "update orders set note = 'x'",
            "delete from orders",
            "insert into orders values (tenant.current_uuid(), 9)",
        ] {
            ann.run(&format!("begin read write; {}", enter(&id))).await;
            let first = ann.batch_execute(before).await;
            let code = match first {
                Ok(()) => ann.batch_execute(write).await.expect_err(before),
                Err(error) => error,
            };
            let code = code.code().expect("an error of the server").code().to_owned();
            assert!(["25006", "TN009", "25001", "0A000"].contains(&&*code), "{before}; {write}: {code}");
            roll_back(&ann).await;
        }
    }
    let unharmed = "select count(*) from orders where note like 'note%'";
    assert_eq!(by(&ann, &id, unharmed).await.as_deref(), Some("3"));
    // A savepoint that is undone takes the entry with it.
    ann.run(&format!("begin; savepoint s; {}; rollback to s", enter(&id))).await;
    ann.expect_error("TN001", "delete from orders").await;
    roll_back(&ann).await;
    let write = asked(&ann, A, "null", ", write => true").await;
    ann.run(&format!("begin; {}; update orders set note = 'x'; commit", enter(&write))).await;
    // One for writing in a read-only state of the tenant reads.
    db.admin().await.run(&format!("select tenant.set_read_only('{A}')")).await;
    ann.run(&format!("begin; {}", enter(&write))).await;
    ann.expect_error("25006", "update orders set note = 'y'").await;
    roll_back(&ann).await;
}

#[tokio::test]
async fn the_session_says_so_itself() {
    let db = support_shop("imp_set").await;
    let (ann, app) = (ann(&db).await, db.app().await);
    let id = asked(&ann, A, "null", "").await;
    for session in [&ann, &app] {
        for sql in [
            "set pg_tenant.impersonator = 'somebody'",
            "set local pg_tenant.impersonator = ''",
            "reset pg_tenant.impersonator",
            "select set_config('pg_tenant.impersonator', 'somebody', true)",
            "set pg_tenant.impersonation_approval = off",
        ] {
            session.expect_error("42501", sql).await;
        }
    }
    ann.run(&format!("begin; {}", enter(&id))).await;
    for sql in ["select set_config('pg_tenant.impersonator', '', true)", "set local pg_tenant.actor = 'owner'"] {
        ann.expect_error("42501", &format!("savepoint s; {sql}")).await;
        ann.run("rollback to s").await;
    }
    roll_back(&ann).await;
    // A superuser cannot either: it is what entering says.
    db.superuser().await.expect_error("22023", "set pg_tenant.impersonator = 'somebody'").await;
}
