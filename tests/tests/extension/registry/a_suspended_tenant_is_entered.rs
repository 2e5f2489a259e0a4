//! A session remembers a tenant's state after another session has changed it. It remembers for speed; each way of
//! changing the registry must reach it by its next transaction.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

/// Sessions that have the tenant in their cache: the application's, one in REPEATABLE READ, one that never asked.
async fn warm(db: &Database<'_>) -> [Session; 3] {
    let sessions = [db.app().await, db.app().await, db.app().await];
    sessions[1].run("set default_transaction_isolation = 'repeatable read'").await;
    for session in &sessions[..2] {
        session.inside(A, "table orders").await;
    }
    sessions
}

/// How a superuser can change the state, and undo it again.
const CHANGES: &[(&str, &str, &str)] = &[
    ("TN003", "select tenant.suspend('{a}')", "select tenant.resume('{a}')"),
    (
        "TN003",
        "update tenant.tenants set status = 'suspended' where id = '{a}'",
        "update tenant.tenants set status = 'active'",
    ),
    (
        "TN003",
        "set session_replication_role = replica; update tenant.tenants set status = 'suspended' where id = '{a}'",
        "update tenant.tenants set status = 'active'; set session_replication_role = origin",
    ),
    (
        "TN003",
        "with t as (select '{a}'::text as id) merge into tenant.tenants s using t on s.id = t.id
            when matched then update set status = 'suspended'",
        "update tenant.tenants set status = 'active'",
    ),
];

#[tokio::test]
async fn after_a_change_elsewhere() {
    let db = shop("changed").await;
    let superuser = db.superuser().await;
    let sessions = warm(&db).await;
    for (verdict, change, back) in CHANGES {
        superuser.run(&change.replace("{a}", A)).await;
        for session in &sessions {
            session.refused_inside(verdict, A, "select 1").await;
        }
        superuser.run(&back.replace("{a}", A)).await;
        for session in &sessions {
            assert_eq!(session.inside_value(A, "select count(*) from orders").await.as_deref(), Some("3"), "{back}");
        }
    }
}

#[tokio::test]
async fn by_an_admins_update() {
    let db = shop("direct").await;
    let [app, ..] = warm(&db).await;
    db.admin().await.run(&format!("update tenant.tenants set status = 'suspended' where id = '{A}'")).await;
    app.refused_inside("TN003", A, "select 1").await;
    db.admin().await.run(&format!("select tenant.resume('{A}', 'paid')")).await;
    app.inside(A, "table orders").await;
    // An id that was refused as unknown is remembered as well, until it is there.
    app.refused_inside("TN002", "new", "select 1").await;
    db.admin().await.run("select tenant.create('new')").await;
    app.inside("new", "select 1").await;
}

#[tokio::test]
async fn when_the_cache_is_filled_under_an_old_snapshot() {
    let db = shop("snapshot").await;
    let (app, admin) = (db.app().await, db.admin().await);
    // The snapshot is older than the suspension; the tenant is first asked for after it.
    app.run("begin isolation level repeatable read; select 1").await;
    admin.run(&format!("select tenant.suspend('{A}')")).await;
    app.expect_error("TN003", &format!("select tenant.enter('{A}')")).await;
    app.run("rollback").await;
    app.refused_inside("TN003", A, "select 1").await;
    // The other way round: what the transaction has entered it keeps, its successor sees the change.
    admin.run(&format!("select tenant.resume('{A}')")).await;
    app.run(&format!("begin isolation level repeatable read; select tenant.enter('{A}'); table orders")).await;
    admin.run(&format!("select tenant.suspend('{A}')")).await;
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"), "it ends as it will");
    app.run(&format!("select tenant.enter('{A}'); commit and chain")).await;
    app.expect_error("TN003", &format!("select tenant.enter('{A}')")).await;
    app.run("rollback").await;
}

#[tokio::test]
async fn before_the_change_is_committed() {
    let db = shop("uncommitted").await;
    let (app, admin) = (db.app().await, db.admin().await);
    admin.run(&format!("begin; select tenant.suspend('{A}'); select tenant.create('{B}x')")).await;
    app.inside(A, "table orders").await;
    app.refused_inside("TN002", &format!("{B}x"), "select 1").await;
    admin.run("rollback").await;
    app.inside(A, "table orders").await;
    admin.run(&format!("begin; select tenant.suspend('{A}')")).await;
    app.inside(A, "table orders").await;
    admin.run("commit").await;
    app.refused_inside("TN003", A, "select 1").await;
}

#[tokio::test]
async fn by_the_one_who_suspended_it() {
    let db = shop("own").await;
    db.superuser().await.run(&format!("grant tenant_user to {}", db.roles.admin)).await;
    let admin = db.admin().await;
    let suspended = format!("begin; select tenant.enter('{A}'); commit; begin; select tenant.suspend('{A}')");
    admin.run(&suspended).await;
    admin.expect_error("TN003", &format!("select tenant.enter('{A}')")).await;
    admin.run("rollback").await;
    admin.run(&format!("begin; select tenant.enter('{A}'); commit")).await;
    // A tenant that is made and undone by a savepoint was never there.
    admin.run("begin; savepoint s; select tenant.create('brief'); select tenant.enter('brief'); rollback to s").await;
    admin.run("commit").await;
    admin.expect_error("TN002", "select tenant.enter('brief')").await;
}
