//! Where a second person is to approve, the first one enters without, or is the second one as well.

use pg_tenant_tests::shop::A;

use super::fixture::{COUNT, ann, asked, bob, by, enter, login, support_shop};

#[tokio::test]
async fn alone() {
    let db = support_shop("imp_approval").await;
    let boss = db.superuser().await;
    let before = asked(&ann(&db).await, A, "null", "").await;
    boss.run(&format!("alter database {} set pg_tenant.impersonation_approval = on", db.name)).await;
    let (ann, bob) = (ann(&db).await, bob(&db).await);
    // One that was open before is not, from now on.
    ann.expect_error("TN158", &enter(&before)).await;
    let id = asked(&ann, A, "null", "").await;
    let error = ann.expect_error("TN158", &enter(&id)).await;
    assert!(error.message().contains("approval") && error.hint().is_some_and(|h| h.contains("approve")), "{error:?}");
    assert_eq!(
        bob.value(&format!("select waits from tenant.open_impersonations where id = '{id}'")).await.as_deref(),
        Some("t")
    );

    let approve = format!("select tenant.approve_impersonation('{id}')");
    let error = ann.expect_error("TN158", &approve).await;
    assert!(error.message().contains("second person"), "{error:?}");
    // Nor by a login that is the same one's: one that it can become, or that can become it.
    for (granted, to) in [("ann", "bob"), ("bob", "ann")] {
        boss.run(&format!("grant {} to {}", login(&db, granted), login(&db, to))).await;
        bob.expect_error("TN158", &approve).await;
        boss.run(&format!("revoke {} from {}", login(&db, granted), login(&db, to))).await;
    }
    // SET ROLE makes no second person.
    boss.run(&format!("grant {} to {}", db.roles.bystander, login(&db, "ann"))).await;
    ann.run(&format!("set role {}", db.roles.bystander)).await;
    ann.expect_error("42501", &approve).await;
    ann.run("reset role").await;
    db.app().await.expect_error("42501", &approve).await;
    boss.run(&format!("grant tenant_support to {}", db.roles.app)).await;
    bob.run(&format!("{approve}; {approve}")).await;
    assert_eq!(by(&ann, &id, COUNT).await.as_deref(), Some("3"));
    bob.expect_error("TN158", &enter(&id)).await;
    let line =
        format!("select session_role from tenant.journal where action = 'approve_impersonation' and object = '{id}'");
    assert_eq!(db.admin().await.value(&line).await, Some(login(&db, "bob")), "once, and by whom");
    // By an administrator; and not what has ended.
    let id = asked(&ann, A, "null", "").await;
    db.admin().await.run(&format!("select tenant.approve_impersonation('{id}')")).await;
    assert_eq!(by(&ann, &id, COUNT).await.as_deref(), Some("3"));
    let id = asked(&ann, A, "null", "").await;
    ann.run(&format!("select tenant.end_impersonation('{id}')")).await;
    bob.expect_error("TN159", &format!("select tenant.approve_impersonation('{id}')")).await;
    let id = asked(&ann, A, "null", "").await;
    boss.run(&format!("update tenant.impersonations set requested_at = now() - interval '25 hours' where id = '{id}'"))
        .await;
    bob.expect_error("TN159", &format!("select tenant.approve_impersonation('{id}')")).await;
}

/// It was asked for while approval was required, and that is not so any more.
#[tokio::test]
async fn since_it_was_turned_off() {
    let db = support_shop("imp_no_approval").await;
    let boss = db.superuser().await;
    boss.run(&format!("alter database {} set pg_tenant.impersonation_approval = on", db.name)).await;
    let id = asked(&ann(&db).await, A, "null", "").await;
    boss.run(&format!("alter database {} reset pg_tenant.impersonation_approval", db.name)).await;
    ann(&db).await.expect_error("TN158", &enter(&id)).await;
    // An approval that its own transaction could undo opens nothing.
    let (ann, bob) = (ann(&db).await, bob(&db).await);
    bob.run(&format!("begin; select tenant.approve_impersonation('{id}')")).await;
    ann.expect_error("TN158", &enter(&id)).await;
    bob.run("rollback").await;
    ann.expect_error("TN158", &enter(&id)).await;
    bob.run(&format!("select tenant.approve_impersonation('{id}')")).await;
    assert_eq!(by(&ann, &id, COUNT).await.as_deref(), Some("3"));
}
