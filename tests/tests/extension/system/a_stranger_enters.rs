//! Only members of `tenant_system` enter the system context.

use pg_tenant_tests::Install;
use pg_tenant_tests::shop::{A, shop};

use super::fixture::{COUNT, READ, WRITE, nothing_is_left, operator, operator_of, system_shop};

#[tokio::test]
async fn as_an_ordinary_role() {
    let db = system_shop("system_stranger").await;
    // Stock: BYPASSRLS is given to a login for reports, and whoever has it reads everything.
    let backup = db.backup().await;
    assert_eq!(backup.value("select count(*) from stock_orders").await.as_deref(), Some("5"), "stock: BYPASSRLS");
    backup.expect_error("TN001", COUNT).await;

    let (app, owner, backup) = (&db.roles.app, &db.roles.owner, &db.roles.backup);
    db.superuser().await.run(&format!("grant tenant_user to {owner}, {backup}")).await;
    for role in [app, owner, backup] {
        for enter in [READ, WRITE, "select tenant.enter_system_pristine('a test')"] {
            let session = db.connect(role).await;
            let error = session.expect_error("TN013", enter).await;
            assert!(error.detail().is_some_and(|d| d.contains("may not SET ROLE")), "{role}: {error:?}");
            assert!(error.hint().is_some_and(|h| h.contains("grant tenant_system")), "{role}: {error:?}");
            session.expect_error("42501", "set role tenant_system").await;
        }
    }
    for role in [&db.roles.admin, &db.roles.bystander] {
        db.connect(role).await.expect_error("42501", READ).await;
    }
    for role in [app, owner, backup, &db.roles.admin, &operator_of(&db)] {
        db.connect(role).await.expect_error("42501", "select tenant_internal.journal_system('a test', true)").await;
    }
    let seen = operator(&db).await.rows(&format!("{READ}; {COUNT}")).await;
    assert_eq!(seen[1], [Some("5".to_owned())], "who was let in");
}

/// Membership that SET ROLE does not accept, or that is enough without inheriting.
#[tokio::test]
async fn by_a_membership() {
    let db = system_shop("system_member").await;
    let boss = db.superuser().await;
    let member = format!("regress_{}_member", db.name);
    boss.run(&format!("create role {member} login noinherit in role tenant_user")).await;
    if Install::current().major >= 16 {
        boss.run(&format!("grant tenant_system to {member} with set false, inherit true")).await;
        boss.run(&format!("grant tenant_user to {member} with inherit true")).await;
        db.connect(&member).await.expect_error("TN013", READ).await;
        boss.run(&format!("grant tenant_system to {member} with set true, inherit false")).await;
    } else {
        boss.run(&format!("grant tenant_system to {member}; alter role {member} inherit")).await;
    }
    let session = db.connect(&member).await;
    session.run(&format!("begin; {READ}")).await;
    assert_eq!(session.value(COUNT).await.as_deref(), Some("5"));
    session.run("commit").await;
    // Who has SET ROLE to it already, in the same transaction or before.
    session.run(&format!("begin; set local role tenant_system; {READ}; {COUNT}; commit")).await;
    session.run(&format!("set role tenant_system; begin; {READ}; {COUNT}; commit; reset role")).await;
    boss.run(&format!("revoke tenant_system from {member}")).await;
    session.expect_error("TN013", READ).await;
}

#[tokio::test]
async fn in_a_function_of_another() {
    let db = system_shop("system_definer").await;
    let boss = db.superuser().await;
    // Owned by the superuser, by who may enter, and by the role of the context itself.
    let function = |name: &str| {
        format!(
            "create function {name}() returns bigint language plpgsql security definer as $$
             begin perform tenant.enter_system('a test'); return (select count(*) from orders); end $$;"
        )
    };
    boss.run(&(function("of_boss") + &function("of_system") + "alter function of_system owner to tenant_system")).await;
    operator(&db).await.run(&function("of_operator")).await;
    for session in [db.app().await, operator(&db).await] {
        for name in ["of_boss", "of_system", "of_operator"] {
            if session.value("select current_user::text").await == Some(operator_of(&db)) && name == "of_operator" {
                continue;
            }
            let error = session.expect_error("TN013", &format!("select {name}()")).await;
            assert!(error.detail().is_some_and(|d| d.contains("SECURITY DEFINER")), "{name}: {error:?}");
            nothing_is_left(&session, name).await;
        }
    }
    // Without entering, a function that the role owns is no way in either.
    boss.run(
        "create function peeks() returns bigint language sql security definer as $$ select count(*) from orders $$;
         create function peeks_stock() returns bigint language sql security definer as $$ select count(*) from stock_orders $$;
         alter function peeks() owner to tenant_system; alter function peeks_stock() owner to tenant_system;
         create view all_orders as table orders; alter view all_orders owner to tenant_system;
         grant select on all_orders to public",
    )
    .await;
    for session in [db.app().await, operator(&db).await] {
        assert_eq!(session.value("select peeks_stock()").await.as_deref(), Some("5"), "stock");
        session.expect_error("TN001", "select peeks()").await;
        session.expect_error("TN001", "table all_orders").await;
        session.run("set row_security = off").await;
        session.expect_error("TN001", "select peeks()").await;
        session.run("reset row_security").await;
        session.refused_inside("TN011", A, "select peeks()").await;
        session.refused_inside("TN011", A, "table all_orders").await;
    }
}

/// A tool's login lives in one tenant, even where somebody has made it a member since.
#[tokio::test]
async fn bound_to_a_tenant() {
    let db = shop("system_bound").await;
    let (boss, admin, bi) = (db.superuser().await, db.admin().await, format!("regress_{}_bi", db.name));
    boss.run(&format!("create role {bi} login in role tenant_user; grant select on orders to {bi}, tenant_system"))
        .await;
    boss.run(&format!("grant tenant_system to {bi}")).await;
    let error = admin.expect_error("TN040", &format!("select tenant.bind_role('{bi}', '{A}')")).await;
    assert!(error.detail().is_some_and(|d| d.contains("tenant_system")), "{error:?}");
    boss.run(&format!("revoke tenant_system from {bi}")).await;
    admin.run(&format!("select tenant.bind_role('{bi}', '{A}')")).await;
    boss.run(&format!("grant tenant_system to {bi}")).await;
    let session = db.connect(&bi).await;
    for enter in [READ, WRITE, "set local role tenant_system; select tenant.enter_system('a test')"] {
        let error = session.expect_error("TN013", &format!("begin; {enter}")).await;
        assert!(error.detail().is_some_and(|d| d.contains("bound to tenant")), "{error:?}");
        session.run("rollback").await;
    }
    assert_eq!(session.value(COUNT).await.as_deref(), Some("3"));
    session.expect_error("TN011", &format!("set role tenant_system; {COUNT}")).await;
}

/// Who must show a token for a tenant has none for all of them.
#[tokio::test]
async fn where_a_token_is_required() {
    let db = system_shop("system_signed").await;
    db.superuser().await.run(&format!("alter role {} set pg_tenant.require_signed = on", operator_of(&db))).await;
    for enter in [READ, "set local role tenant_system; select tenant.enter_system('a test')"] {
        let error = operator(&db).await.expect_error("TN013", &format!("begin; {enter}")).await;
        assert!(error.detail().is_some_and(|d| d.contains("require_signed")), "{error:?}");
    }
}

/// The role has lost what the context needs: nobody enters rather than seeing no rows.
#[tokio::test]
async fn a_role_that_is_not_the_one() {
    let cluster = pg_tenant_tests::Cluster::start(pg_tenant_tests::Options::default());
    let db = cluster.database("system_mended").await;
    let boss = db.superuser().await;
    boss.run("alter role tenant_system nobypassrls").await;
    let error = boss.expect_error("TN013", READ).await;
    assert!(error.detail().is_some_and(|d| d.contains("BYPASSRLS")), "{error:?}");
    boss.run("alter role tenant_system bypassrls; alter role tenant_system rename to regress_system").await;
    boss.expect_error("TN013", READ).await;
    boss.run("alter role regress_system rename to tenant_system").await;
    boss.run(READ).await;
}
