//! One tenant takes so many advisory locks that the server's lock table has no room for anybody else's.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop};

async fn take(session: &Session, function: &str, names: std::ops::RangeInclusive<u32>) {
    let (from, to) = (names.start(), names.end());
    session.run(&format!("select tenant.{function}('k' || n) from generate_series({from}, {to}) n")).await;
}

#[tokio::test]
async fn in_a_loop() {
    let db = shop("lock_table").await;
    let app = db.app().await;
    // With no bound, as before: hundreds.
    db.superuser().await.run(&format!("alter role {} set pg_tenant.max_advisory_locks = 65536", db.roles.app)).await;
    let unbounded = db.app().await;
    unbounded.run(&format!("begin; select tenant.enter('{A}')")).await;
    take(&unbounded, "advisory_lock", 1..=400).await;
    let held = "select count(*) from pg_locks where locktype = 'advisory'";
    assert_eq!(db.superuser().await.value(held).await.as_deref(), Some("400"));
    unbounded.run("rollback").await;

    for function in ["advisory_lock", "try_advisory_lock"] {
        app.run(&format!("begin; select tenant.enter('{A}')")).await;
        take(&app, function, 1..=64).await;
        take(&app, function, 1..=64).await; // the same names again
        let one_more = format!("select tenant.{function}('one more')");
        // The transaction that catches the refusal goes on, and gets no further.
        app.run(&format!(
            "do $$ begin perform tenant.{function}('one more'); exception when sqlstate 'TN055' then null; end $$"
        ))
        .await;
        let refused = app.expect_error("TN055", &one_more).await;
        assert!(refused.detail().is_some_and(|detail| detail.contains("max_advisory_locks is 64")), "{refused:?}");
        app.run("rollback").await;
        // Another transaction, another tenant.
        app.run(&format!("begin; select tenant.enter('{B}'); {one_more}; rollback")).await;
    }
}

#[tokio::test]
async fn by_savepoints() {
    let db = shop("lock_savepoints").await;
    let app = db.app().await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    app.run("savepoint s").await;
    take(&app, "advisory_lock", 1..=64).await;
    app.run("rollback to s").await;
    app.expect_error("TN055", "select tenant.advisory_lock('one more')").await;
    app.run("rollback to s").await;
    take(&app, "advisory_lock", 1..=64).await;
    app.run("rollback").await;
    app.expect_error("42501", "set pg_tenant.max_advisory_locks = 1000").await;
    app.expect_error("42501", "select tenant_internal.count_lock(1)").await;
}
