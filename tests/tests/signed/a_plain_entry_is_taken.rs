//! A role that must sign cannot enter without a token.

use pg_tenant_tests::shop::{A, B};
use pg_tenant_tests::{Session, describe};

use crate::fixture::{enter, shop_with_keys, token};

#[tokio::test]
async fn by_a_role_that_must_sign() {
    let (db, _) = shop_with_keys("must_sign").await;
    let role = &db.roles.app;
    // A compromised application goes where it likes: on stock PostgreSQL, and with the plain entry.
    let app = db.app().await;
    app.run(&format!("set app.tenant = '{B}'")).await;
    assert_eq!(app.value("select count(*) from stock_orders").await.as_deref(), Some("2"), "stock");
    assert_eq!(app.inside_value(B, "select count(*) from orders").await.as_deref(), Some("2"), "plain entry");

    db.superuser().await.run(&format!("alter role {role} set pg_tenant.require_signed = on")).await;
    let app = db.app().await;
    for sql in [
        format!("select tenant.enter('{B}')"),
        format!("select tenant.enter('{B}'::uuid)"),
        format!("select tenant.enter_pristine('{B}')"),
        format!("begin; set local role none; select tenant.enter('{B}')"),
        format!("begin; savepoint s; rollback to s; select tenant.enter('{B}')"),
        format!("do $$ begin perform tenant.enter('{B}'); end $$"),
    ] {
        app.expect_error("TN090", &sql).await;
        app.run("rollback").await;
    }
    app.run("begin").await;
    enter(&app, &token(A, Some("ann"), None)).await.expect("enter");
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"));
    app.run("savepoint s").await;
    app.expect_error("TN090", &format!("select tenant.enter('{A}')")).await;
    app.run("rollback to s").await;
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"));
    app.run("rollback").await;
    app.expect_error("TN001", "select * from orders").await;
}

#[tokio::test]
async fn by_turning_that_off() {
    let (db, _) = shop_with_keys("turned_off").await;
    let role = &db.roles.app;
    let superuser = db.superuser().await;
    superuser.run(&format!("alter role {role} set pg_tenant.require_signed = on")).await;
    superuser.run(&format!("create role {role}_other in role tenant_user; grant {role}_other to {role}")).await;
    let packet = db.config(role).options("-c pg_tenant.require_signed=off").clone();
    let error = Session::try_connect(&packet).await.err().expect("a startup option");
    assert!(describe(&error).contains("FATAL 42501"), "{}", describe(&error));
    let app = db.app().await;
    for sql in [
        "set pg_tenant.require_signed = off".to_owned(),
        "set local pg_tenant.require_signed = off".to_owned(),
        "reset pg_tenant.require_signed".to_owned(),
        "select set_config('pg_tenant.require_signed', 'off', false)".to_owned(),
        format!("alter role {role} set pg_tenant.require_signed = off"),
        format!("alter role {role} reset pg_tenant.require_signed"),
        "update pg_settings set setting = 'off' where name = 'pg_tenant.require_signed'".to_owned(),
    ] {
        app.expect_error("42501", &sql).await;
    }
    superuser.expect_error("TN035", &format!("grant set on parameter pg_tenant.require_signed to {role}")).await;
    // RESET ALL and DISCARD ALL go back to what the login has; another role has nothing to do with it.
    for sql in ["reset all", "discard all", &format!("set role {role}_other")] {
        app.run(sql).await;
        app.expect_error("TN090", &format!("select tenant.enter('{A}')")).await;
    }
}

/// A binding says which tenant, and no more: such a login that must sign sees nothing until it has.
#[tokio::test]
async fn by_a_bound_role() {
    let (db, _) = shop_with_keys("bound_must").await;
    let role = &db.roles.app;
    db.admin().await.run(&format!("select tenant.bind_role('{role}', '{A}')")).await;
    assert_eq!(db.app().await.value("select count(*) from orders").await.as_deref(), Some("3"), "bound");
    db.superuser().await.run(&format!("alter role {role} set pg_tenant.require_signed = on")).await;
    let app = db.app().await;
    app.expect_error("TN090", "select count(*) from orders").await;
    app.run("begin; savepoint s").await;
    enter(&app, &token(A, None, None)).await.expect("enter");
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"));
    app.run("rollback to s").await;
    app.expect_error("TN090", "select count(*) from orders").await;
    app.run("rollback; begin").await;
    enter(&app, &token(A, Some("ann"), None)).await.expect("enter");
    assert_eq!(app.value("select count(*) from orders").await.as_deref(), Some("3"));
    app.run("commit").await;
    app.expect_error("TN090", "select count(*) from orders").await;
}
