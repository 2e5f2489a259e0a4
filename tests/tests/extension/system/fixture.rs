//! The shop, and an operator: an ordinary login that may enter tenants and the system context.

use pg_tenant_tests::shop::shop;
use pg_tenant_tests::{Database, Session};

pub const READ: &str = "select tenant.enter_system('a test')";
pub const WRITE: &str = "select tenant.enter_system('a test', write => true)";
pub const COUNT: &str = "select count(*) from orders";

/// The shop, whose tables the role of the system context may read and write.
pub async fn system_shop(name: &str) -> Database<'static> {
    let db = shop(name).await;
    let operator = operator_of(&db);
    db.superuser()
        .await
        .run(&format!(
            "create role {operator} login; grant tenant_user, tenant_system to {operator};
             grant select, insert, update, delete, truncate on orders, stock_orders to tenant_system, {operator};
             grant create on schema public to {operator}"
        ))
        .await;
    db
}

pub fn operator_of(db: &Database<'_>) -> String {
    format!("regress_{}_operator", db.name)
}

pub async fn operator(db: &Database<'_>) -> Session {
    db.connect(&operator_of(db)).await
}

/// Neither the context nor the role is there, and protected tables are refused.
pub async fn nothing_is_left(session: &Session, after: &str) {
    let left = "select current_setting('pg_tenant.id'), current_setting('role'), current_user = session_user,
        tenant.in_system_context(), tenant.current_id()";
    let expected = [Some(""), Some("none"), Some("t"), Some("f"), None].map(|value| value.map(str::to_owned));
    assert_eq!(session.rows(left).await, [expected], "after {after}");
    session.expect_error("TN001", COUNT).await;
    let failed = session.batch_execute("rollback").await;
    failed.unwrap_or_else(|e| panic!("after {after}: {e}"));
}
