//! A login that is bound to a tenant is in it from its first statement on, and cannot leave it.

use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};

async fn bound(name: &str) -> (Database<'static>, Session) {
    let db = shop(name).await;
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    let session = db.app().await;
    (db, session)
}

async fn is_in_a(session: &Session, after: &str) {
    let seen = session.rows("select tenant.current_id(), tenant.current_uuid()::text, count(*) from orders").await;
    assert_eq!(seen, [[Some(A.to_owned()), Some(A.into()), Some("3".into())]], "after {after}");
}

/// What a bound session may try, and what it is answered; none leads out.
const WAYS_OUT: &[(&str, &str)] = &[
    ("TN006", "select tenant.enter('{b}')"),
    ("TN006", "select tenant.enter_pristine('{b}')"),
    ("TN006", "begin; savepoint s; select tenant.enter('{b}')"),
    ("42501", "set pg_tenant.id = '{b}'"),
    ("42501", "set pg_tenant.id = ''"),
    ("42501", "set local pg_tenant.id to default"),
    ("42501", "reset pg_tenant.id"),
    ("42501", "select set_config('pg_tenant.id', '{b}', false)"),
    ("42501", "alter role current_user set pg_tenant.id = '{b}'"),
    ("42501", "alter role current_user reset pg_tenant.id"),
    ("42501", "select tenant.unbind_role(current_user)"),
    ("42501", "set session authorization postgres"),
    ("42501", "set role postgres"),
    ("42501", "set role {owner}"),
    ("42501", "alter role current_user bypassrls"),
    ("TN039", "alter role current_user reset all"),
    ("TN039", "alter role current_user in database {db} reset all"),
    ("00000", "reset all"),
    ("00000", "discard all"),
    ("00000", "set session authorization default"),
    ("00000", "reset session authorization; reset role; set role none"),
    ("00000", "set row_security = on"),
    ("00000", "select tenant.enter('{a}')"),
    ("00000", "select tenant.enter_pristine(upper('{a}'))"),
    ("00000", "begin; commit and chain; rollback and chain; rollback"),
    ("00000", "begin; savepoint s; select tenant.enter('{a}'); rollback to s; commit"),
    ("22012", "begin; savepoint s; select 1/0"),
    ("TN036", "begin; prepare transaction 'x'"),
    ("00000", "declare c cursor with hold for table orders"),
    ("TN031", "truncate orders"),
    ("TN033", "begin; lock table orders"),
];

#[tokio::test]
async fn by_any_statement() {
    let (db, session) = bound("ways").await;
    is_in_a(&session, "login").await;
    for (verdict, way) in WAYS_OUT {
        let sql = way.replace("{a}", A).replace("{b}", B).replace("{owner}", &db.roles.owner).replace("{db}", &db.name);
        if sql.starts_with("truncate") {
            db.owner().await.run(&format!("grant truncate on orders to {}", db.roles.app)).await;
        }
        match *verdict {
            "00000" => session.run(&sql).await,
            sqlstate => drop(session.expect_error(sqlstate, &sql).await),
        }
        session.run("rollback").await;
        is_in_a(&session, &sql).await;
        session.run("discard all").await;
    }
    // Nothing was stored either: the next login is where this one was.
    let next = db.app().await;
    is_in_a(&next, "another login").await;
    next.run("insert into orders (id, note) values (70, 'mine')").await;
    next.expect_error("42501", &format!("insert into orders (id, tenant_id) values (71, '{B}')")).await;
    assert_eq!(
        next.value("update orders set note = 'x' where id in (4, 70) returning id").await.as_deref(),
        Some("70")
    );
}

#[tokio::test]
async fn by_a_startup_option() {
    let (db, _) = bound("options").await;
    let mut config = db.config(&db.roles.app);
    for options in [format!("-c pg_tenant.id={B}"), "-c pg_tenant.id=".to_owned(), "-c pg_tenant.strict=off".to_owned()]
    {
        assert!(Session::try_connect(config.options(&options)).await.is_err(), "{options}");
    }
}

#[tokio::test]
async fn because_its_tenant_is_suspended() {
    let (db, session) = bound("suspended").await;
    is_in_a(&session, "login").await;
    db.admin().await.run(&format!("select tenant.suspend('{A}')")).await;
    for session in [&session, &db.app().await] {
        let enter = format!("select tenant.enter('{A}')");
        let rows = ["table orders", "delete from orders", "insert into orders (id) values (9)", "begin; table orders"];
        for sql in rows.into_iter().chain([&*enter]) {
            session.expect_error("TN003", sql).await;
            session.run("rollback").await;
        }
        // What is no tenant's it can still read.
        session.run("select 1; select count(*) from pg_class; table stock_orders").await;
    }
    db.admin().await.run(&format!("select tenant.resume('{A}')")).await;
    is_in_a(&session, "resume").await;
}

#[tokio::test]
async fn after_it_was_unbound() {
    let (db, session) = bound("unbound").await;
    db.admin().await.run(&format!("select tenant.unbind_role('{}')", db.roles.app)).await;
    is_in_a(&session, "unbind_role: running sessions keep what they have").await;
    let next = db.app().await;
    next.expect_error("TN001", "table orders").await;
    assert_eq!(next.inside_value(B, "select count(*) from orders").await.as_deref(), Some("2"));
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{B}')", db.roles.app)).await;
    assert_eq!(db.app().await.value("select count(*) from orders").await.as_deref(), Some("2"));
    is_in_a(&session, "a new binding").await;
}

/// The binding belongs to the login, not to the role: it is not carried by SET ROLE.
#[tokio::test]
async fn or_another_login_comes_in_by_set_role() {
    let (db, _) = bound("setrole").await;
    let superuser = db.superuser().await;
    superuser.expect_error("TN001", &format!("set role {}; table orders", db.roles.app)).await;
    superuser.run(&format!("grant {} to {}", db.roles.app, db.roles.bystander)).await;
    let error =
        db.admin().await.expect_error("TN040", &format!("select tenant.bind_role('{}', '{B}')", db.roles.app)).await;
    assert!(error.detail().is_some_and(|d| d.contains("SET ROLE")), "{error:?}");
    let bystander = db.bystander().await;
    bystander.run(&format!("set role {}", db.roles.app)).await;
    bystander.expect_error("TN001", "table orders").await;
}

/// In a database of the same server without the extension the login is an ordinary one.
#[tokio::test]
async fn into_another_database() {
    let (db, _) = bound("elsewhere").await;
    let other = db.cluster().plain_database("other").await;
    let session = other.connect(&db.roles.app).await;
    session.run("create temp table t (n int); table t; reset all").await;
    session.run("discard all").await;
    assert_eq!(session.value("show pg_tenant.id").await.as_deref(), Some(A), "bound, with nothing to be bound to");
}
