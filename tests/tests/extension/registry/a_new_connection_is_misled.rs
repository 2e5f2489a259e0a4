//! A new connection finds in shared memory what others have read of the registry, and takes it for what the registry
//! says when that has changed since.

use pg_tenant_tests::shop::{A, B, shop, shop_on};
use pg_tenant_tests::{Cluster, Database, Options};

/// Enters the tenant on a connection of its own.
async fn enter(db: &Database<'_>, tenant: &str) {
    db.app().await.inside(tenant, "table orders").await;
}

async fn is_refused(db: &Database<'_>, code: &str, tenant: &str) {
    db.app().await.refused_inside(code, tenant, "select 1").await;
}

/// Without what others have read this could not enter: the registry is locked against everybody. On a server of its
/// own, where nothing else takes the places in shared memory.
#[tokio::test]
async fn or_reads_it_again() {
    let cluster = Cluster::start(Options::default());
    let db = shop_on(&cluster, "new_connection").await;
    let (admin, boss) = (db.admin().await, db.superuser().await);
    admin.run(&format!("select tenant.set_limits('{A}', work_mem => '1MB', statement_timeout => '1 min')")).await;
    enter(&db, A).await;
    boss.run("begin; lock table tenant.tenants in access exclusive mode").await;
    let (app, other) = (db.app().await, db.app().await);
    app.run("set lock_timeout = '100ms'").await;
    let limits = "select current_setting('work_mem') || current_setting('statement_timeout')";
    assert_eq!(app.inside_value(A, limits).await.as_deref(), Some("1MB1min"));
    // Nor has it read more than others have.
    app.refused_inside("55P03", "another", "select 1").await;
    boss.run("rollback").await;

    // It is told of a change as those that have read it themselves.
    other.inside(A, "table orders").await;
    admin.run(&format!("select tenant.set_limits('{A}', work_mem => '2MB')")).await;
    for app in [app, other, db.app().await] {
        assert_eq!(app.inside_value(A, "show work_mem").await.as_deref(), Some("2MB"));
    }
    admin.run(&format!("select tenant.suspend('{A}')")).await;
    is_refused(&db, "TN003", A).await;
}

/// Changes that no trigger tells of: by a superuser, and by what restores a dump.
#[tokio::test]
async fn by_a_change_behind_the_triggers() {
    let db = shop("behind_triggers").await;
    let boss = db.superuser().await;
    let without = |change: &str, end: &str| {
        let (off, on) = ("disable trigger user", "enable trigger user");
        format!("begin; alter table tenant.tenants {off}; {change}; alter table tenant.tenants {on}; {end}")
    };
    let set = |status: &str| format!("update tenant.tenants set status = '{status}' where id = '{A}'");
    let (suspend, gid) = (set("suspended"), format!("'{}'", db.name));
    let (prepare, commit) = (format!("prepare transaction {gid}"), format!("commit prepared {gid}"));
    for (change, then, told) in [
        (without(&suspend, "commit"), "select 1", "TN003"),
        (without(&suspend, &prepare), &*commit, "TN003"),
        (without("truncate tenant.tenants cascade", "commit"), "select 1", "TN002"),
    ] {
        boss.run(&set("active")).await;
        enter(&db, A).await;
        boss.run(&change).await;
        boss.run(then).await;
        is_refused(&db, told, A).await;
    }
    is_refused(&db, "TN002", B).await;
}

/// The registry of an extension that was installed anew is another.
#[tokio::test]
async fn by_a_registry_that_is_gone() {
    let db = shop("registry_gone").await;
    let boss = db.superuser().await;
    enter(&db, A).await;
    boss.run("drop extension pg_tenant cascade; create extension pg_tenant").await;
    is_refused(&db, "TN002", A).await;
}
