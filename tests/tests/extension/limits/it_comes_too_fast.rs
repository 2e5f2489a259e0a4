//! Transactions, statements and rows come as fast as they may, and no faster.

use pg_tenant_tests::{Database, Session, database};

async fn limited(name: &str, limits: &str) -> (Database<'static>, Session) {
    let db = database(name).await;
    db.protector()
        .await
        .run("create table rows (tenant_id text not null default tenant.current_id(), n int); select tenant.protect('rows')")
        .await;
    db.superuser().await.run(&format!("grant all on rows to {}", db.roles.app)).await;
    db.admin().await.run(&format!("select tenant.create('acme'); {limits}")).await;
    let app = db.app().await;
    (db, app)
}

/// In how many milliseconds it says to try again.
fn retry_after(detail: Option<&str>) -> u64 {
    let said = detail.and_then(|detail| detail.split("retry after ").nth(1)).expect("when");
    said.split(' ').next().expect("a number").parse().expect("a number")
}

#[tokio::test]
async fn transactions() {
    let limits = "select tenant.set_limit('acme', 'transactions_per_second', 1, burst => 5)";
    let (db, app) = limited("fast_transactions", limits).await;
    let transaction = "begin; select tenant.enter('acme'); commit";
    for _ in 0..5 {
        app.run(transaction).await;
    }
    let error = app.expect_error("TN181", transaction).await;
    let wait = retry_after(error.detail());
    assert!((1..=1000).contains(&wait), "{error:?}");
    app.run("rollback").await;
    tokio::time::sleep(std::time::Duration::from_millis(wait + 20)).await;
    app.run(transaction).await;
    db.admin().await.run("select tenant.drop_limit('acme', 'transactions_per_second')").await;
    for _ in 0..20 {
        app.run(transaction).await;
    }
}

#[tokio::test]
async fn statements() {
    let limits = "select tenant.set_limit('acme', 'statements_per_second', 1, burst => 3)";
    let (_db, app) = limited("fast_statements", limits).await;
    app.run("begin; select tenant.enter('acme'); select 1; select 2; select 3").await;
    let error = app.expect_error("TN181", "select 4").await;
    assert!(retry_after(error.detail()) <= 1000);
    app.run("rollback").await;
    // Statements within a function are its statement's.
    let within = "do $$ begin for n in 1..50 loop execute 'select 1'; end loop; end $$";
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    app.run(&format!("begin; select tenant.enter('acme'); {within}; commit")).await;
}

#[tokio::test]
async fn rows_that_are_written() {
    let limits = "select tenant.set_limit('acme', 'rows_written_per_second', 10, burst => 100)";
    let (db, app) = limited("fast_rows", limits).await;
    app.run("begin; select tenant.enter('acme'); insert into rows (n) select generate_series(1, 60)").await;
    let error = app.expect_error("TN181", "insert into rows (n) select generate_series(1, 60)").await;
    assert!(retry_after(error.detail()) > 100, "{error:?}");
    app.run("rollback; begin; select tenant.enter('acme')").await;
    let error = app.expect_error("TN181", "insert into rows (n) select generate_series(1, 101)").await;
    assert!(error.detail().is_some_and(|detail| detail.contains("burst")), "{error:?}");
    app.run("rollback").await;
    let left = db.superuser().await.value("select count(*) from rows").await;
    assert_eq!(left.as_deref(), Some("0"), "what is refused is not written");
}

#[tokio::test]
async fn above_a_soft_limit_it_is_noted() {
    let limits = "select tenant.set_limit('acme', 'transactions_per_second', 10, 1, 20);
        select tenant.set_limit('acme', 'concurrent_transactions', 3, 1)";
    let (db, app) = limited("fast_soft", limits).await;
    for _ in 0..10 {
        app.run("begin; select tenant.enter('acme'); commit").await;
    }
    let noted = "select above_soft > 0 and refused = 0 from tenant.limit_state where tenant_id = 'acme'";
    assert_eq!(db.admin().await.rows(noted).await[0][0].as_deref(), Some("t"));
}
