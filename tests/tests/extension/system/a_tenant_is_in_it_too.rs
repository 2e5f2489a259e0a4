//! One transaction is either in a tenant or in the system context, so that no rows are carried from all tenants into
//! one.

use pg_tenant_tests::shop::A;

use super::fixture::{COUNT, READ, WRITE, operator, system_shop};

/// What stands between the first entry and the second.
const BETWEEN: &[&str] = &[
    "select 1",
    "table orders",
    "reset role",
    "rollback to s",
    "rollback to s; release s",
    "savepoint t; {first}; rollback to t",
    "rollback to s; {first}; rollback to s",
    "do $$ begin {perform}; raise 'no'; exception when others then null; end $$; rollback to s",
    "set constraints all deferred; reset all",
];

#[tokio::test]
async fn one_after_the_other() {
    let db = system_shop("system_sealed").await;
    let session = operator(&db).await;
    let tenant = format!("select tenant.enter('{A}')");
    // Stock: SET ROLE between two statements of one transaction.
    session.run(&format!("begin; set local app.tenant = '{A}'")).await;
    session.run("set local role tenant_system; create temp table loot on commit drop as table stock_orders").await;
    session.run("rollback").await;

    for (first, second) in [
        (tenant.as_str(), READ),
        (&tenant, WRITE),
        (READ, &tenant),
        (WRITE, &tenant),
        (READ, WRITE),
        (WRITE, READ),
        (&tenant, "select tenant.enter_system_pristine('a test')"),
    ] {
        for between in BETWEEN {
            let between = between.replace("{first}", first).replace("{perform}", &first.replace("select", "perform"));
            let sql = format!("begin; savepoint s; {first}; {between}; {second}");
            let error = session.expect_error("TN014", &sql).await;
            let entered = if first == tenant { "tenant \"" } else { "the system context" };
            assert!(error.detail().is_some_and(|d| d.contains(entered)), "{sql}: {error:?}");
            session.run("rollback").await;
        }
        session.expect_error("TN014", &format!("{first}; {second}")).await;
    }
    // A failed attempt seals nothing.
    session.run("begin; savepoint s").await;
    session.expect_error("TN029", "select tenant.enter_system('')").await;
    session.run(&format!("rollback to s; {tenant}; commit")).await;
}

#[tokio::test]
async fn in_one_statement() {
    let db = system_shop("system_at_once").await;
    let session = operator(&db).await;
    session.expect_error("TN014", &format!("select tenant.enter('{A}'), tenant.enter_system('a test')")).await;
    session.expect_error("TN014", &format!("select tenant.enter_system('a test'), tenant.enter('{A}')")).await;
    // Judged before its first row, with no tenant.
    session.expect_error("TN001", "select tenant.enter_system('a test'), * from orders").await;
    session
        .expect_error("TN001", "with e as materialized (select tenant.enter_system('a test')) select * from e, orders")
        .await;
}

#[tokio::test]
async fn but_the_same_one_may_be() {
    let db = system_shop("system_same").await;
    let session = operator(&db).await;
    for enter in [READ, WRITE] {
        session.run(&format!("begin; {enter}; {enter}; reset role; {enter}")).await;
        assert_eq!(session.value(COUNT).await.as_deref(), Some("5"));
        session.run(&format!("commit; begin; savepoint s; {enter}; rollback to s; {enter}")).await;
        assert_eq!(session.value(COUNT).await.as_deref(), Some("5"));
        session.run("commit").await;
    }
}
