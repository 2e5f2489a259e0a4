//! The shop, and two logins of support: members of `tenant_support` alone, with the application's rights on tables.

use pg_tenant_tests::shop::shop;
use pg_tenant_tests::{Database, Session};

pub const COUNT: &str = "select count(*) from orders";

pub async fn support_shop(name: &str) -> Database<'static> {
    let db = shop(name).await;
    support(&db).await;
    db
}

pub async fn support(db: &Database<'_>) {
    let (ann, bob) = (login(db, "ann"), login(db, "bob"));
    db.superuser()
        .await
        .run(&format!(
            "create role {ann} login; create role {bob} login; grant tenant_support to {ann}, {bob};
             grant select, insert, update, delete on orders to {ann}, {bob}"
        ))
        .await;
}

pub fn login(db: &Database<'_>, who: &str) -> String {
    format!("regress_{}_{who}", db.name)
}

pub async fn ann(db: &Database<'_>) -> Session {
    db.connect(&login(db, "ann")).await
}

pub async fn bob(db: &Database<'_>) -> Session {
    db.connect(&login(db, "bob")).await
}

/// Asks for a grant; `arguments` stand behind the reason.
pub async fn asked(session: &Session, tenant: &str, user: &str, arguments: &str) -> String {
    let sql = format!("select tenant.impersonate('{tenant}', {user}, 'ticket 7'{arguments})");
    session.value(&sql).await.expect("an id")
}

pub fn enter(id: &str) -> String {
    format!("select tenant.enter_as('{id}')")
}

/// The first column of the only row, in a transaction by the grant.
pub async fn by(session: &Session, id: &str, sql: &str) -> Option<String> {
    session.run(&format!("begin; {}", enter(id))).await;
    let value = session.value(sql).await;
    session.run("commit").await;
    value
}

/// The session can go on.
pub async fn roll_back(session: &Session) {
    session.run("rollback").await;
}
