//! A database in which 0.1.0 was created and used.

use pg_tenant_tests::{Cluster, Database};

/// Two tenants, tables protected in every way, what is shared and waived, a bound role, limits, a suspended tenant;
/// lines of the journal of each. `{x}` is a role of the database's own.
const USED: &str = include_str!("formerly.sql");

/// The role that is bound to `acme` there.
pub fn bound(db: &Database<'_>) -> String {
    format!("regress_{}_x", db.name)
}

/// A database with 0.1.0.
pub async fn database(name: &str) -> Database<'static> {
    let db = Cluster::shared().plain_database(name).await;
    let boss = db.superuser().await;
    boss.run("create extension pg_tenant version '0.1.0'").await;
    let roles = &db.roles;
    boss.run(&format!("grant tenant_user to {}; grant tenant_admin to {}", roles.app, roles.admin)).await;
    db
}

/// The same, used.
pub async fn used(name: &str) -> Database<'static> {
    let db = database(name).await;
    let sql = USED.replace("{x}", &bound(&db)).replace("{app}", &db.roles.app).replace("{owner}", &db.roles.owner);
    db.superuser().await.run(&sql).await;
    db
}

/// The way to this version.
pub async fn upgrade(db: &Database<'_>) {
    db.superuser().await.run("alter extension pg_tenant update").await;
}
