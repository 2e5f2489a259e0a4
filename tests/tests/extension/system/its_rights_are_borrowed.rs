//! In a system context, a statement reaches all tenants with the rights of somebody else: after SET ROLE, in a view, in
//! a function. Only the role's own rights do.

use pg_tenant_tests::shop::A;

use super::fixture::{COUNT, READ, WRITE, operator, operator_of, system_shop};

#[tokio::test]
async fn after_a_change_of_role() {
    let db = system_shop("system_role").await;
    let boss = db.superuser().await;
    let (login, app, backup) = (operator_of(&db), &db.roles.app, &db.roles.backup);
    boss.run(&format!("grant {app}, {backup} to {login}; grant all on orders to {backup}")).await;
    let session = operator(&db).await;
    for leave in [
        "reset role".to_owned(),
        "set role none".to_owned(),
        format!("set local role {app}"),
        format!("set role {backup}"),
        format!("set local role {backup}; set local row_security = off"),
        "select set_config('role', 'none', true)".to_owned(),
        "set local session authorization default; reset role".to_owned(),
    ] {
        for enter in [READ, WRITE] {
            session.run(&format!("begin; {enter}; {COUNT}; {leave}")).await;
            let error = session.expect_error("TN016", COUNT).await;
            assert!(error.hint().is_some_and(|h| h.contains("SET ROLE")), "{leave}: {error:?}");
            session.run("rollback").await;
        }
        session.expect_error("TN016", &format!("begin; {WRITE}; {leave}; update orders set note = 'x'")).await;
        session.run("rollback").await;
    }
    // Back in the role it has its rights again, until a savepoint takes them.
    session
        .run(&format!("begin; savepoint s; {READ}; reset role; set local role tenant_system; {COUNT}; rollback to s"))
        .await;
    session.expect_error("TN001", COUNT).await;
    session.run("rollback").await;
    // The role without the context.
    session.run("begin; set local role tenant_system; set local row_security = off").await;
    session.expect_error("TN001", COUNT).await;
    session.run("rollback").await;
    assert_eq!(session.value("select current_user = session_user").await.as_deref(), Some("t"));
}

#[tokio::test]
async fn at_a_superusers_hands() {
    let db = system_shop("system_boss").await;
    let boss = db.superuser().await;
    boss.run(&format!("begin; {READ}")).await;
    assert_eq!(boss.value("select current_user::text").await.as_deref(), Some("tenant_system"));
    assert_eq!(boss.value(COUNT).await.as_deref(), Some("5"));
    boss.expect_error("TN016", &format!("reset role; {COUNT}")).await;
    boss.run("rollback").await;
    for strict in ["off", "log"] {
        boss.run(&format!("begin; set local pg_tenant.strict = '{strict}'; {WRITE}; reset role")).await;
        boss.expect_error("TN016", "delete from orders").await;
        boss.run("rollback").await;
    }
    boss.expect_error("TN016", &format!("begin; {WRITE}; reset role; truncate orders")).await;
    boss.run("rollback").await;
    assert_eq!(boss.value(COUNT).await.as_deref(), Some("5"));
}

#[tokio::test]
async fn in_a_view_or_a_function() {
    let db = system_shop("system_view").await;
    let session = operator(&db).await;
    let objects = |suffix: &str| {
        "create view v_{s} as table orders; grant all on v_{s} to public;
         create function sql_{s}() returns bigint language sql security definer as $$ select count(*) from orders $$;
         create function pl_{s}() returns bigint language plpgsql security definer as $$
            begin return (select count(*) from orders); end $$;
         create function dml_{s}() returns void language sql security definer as $$ update orders set note = 'x' $$;"
            .replace("{s}", suffix)
    };
    db.superuser().await.run(&format!("{}; grant create on schema public to tenant_system", objects("super"))).await;
    db.owner().await.run(&objects("owner")).await;
    for suffix in ["super", "owner"] {
        for sql in [
            "select count(*) from v_{s}",
            "select sql_{s}()",
            "select pl_{s}()",
            "select dml_{s}()",
            "delete from v_{s}",
        ] {
            let sql = sql.replace("{s}", suffix);
            let error = session.expect_error("TN016", &format!("begin; {WRITE}; {sql}")).await;
            assert!(error.hint().is_some_and(|h| h.contains("security_invoker")), "{sql}: {error:?}");
            session.run("rollback").await;
        }
    }
    // The ways that the hint names.
    db.owner()
        .await
        .run("alter view v_owner set (security_invoker); alter function sql_owner() security invoker")
        .await;
    session.run(&format!("begin; {READ}")).await;
    assert_eq!(session.value("select count(*) from v_owner").await.as_deref(), Some("5"));
    assert_eq!(session.value("select sql_owner()").await.as_deref(), Some("5"));
    session.run("commit").await;
    // A function whose SET clause changes the role is another role's, and gives the context's back.
    db.superuser()
        .await
        .run("create function as_itself() returns bigint language sql set role = none as $$ select count(*) from orders $$")
        .await;
    session.expect_error("TN016", &format!("begin; {READ}; select as_itself()")).await;
    session.run("rollback").await;
}

/// What was begun in the context ends in it: a trigger deferred to commit, a cursor; and what was not, does not.
#[tokio::test]
async fn by_what_was_put_off() {
    let db = system_shop("system_late").await;
    db.owner()
        .await
        .run(
            "create table seen (who text, orders bigint); grant insert on seen to tenant_system;
             create function look() returns trigger language plpgsql as $$
             begin insert into seen select current_user, count(*) from orders; return null; end $$;
             create constraint trigger late after insert on orders deferrable initially deferred
                for each row execute function look()",
        )
        .await;
    let session = operator(&db).await;
    let insert = format!("insert into orders (tenant_id, id) values ('{A}', 100)");
    session.run(&format!("begin; {WRITE}; {insert}; commit")).await;
    assert_eq!(
        db.owner().await.rows("select who, orders from seen").await,
        [[Some("tenant_system".to_owned()), Some("6".to_owned())]]
    );
    let insert = insert.replace("100", "101");
    session.expect_error("TN016", &format!("begin; {WRITE}; {insert}; reset role; commit")).await;
    session.run("rollback").await;
    // A statement planned and a cursor opened before it are refused as ever.
    session.expect_error("TN001", &format!("begin; declare c cursor for {COUNT}; {READ}; fetch c")).await;
    session.run("rollback").await;
}
