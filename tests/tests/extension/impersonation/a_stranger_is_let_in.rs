//! Somebody enters a tenant who was not let in: another login, with another's id, without one, or before it is
//! committed.

use pg_tenant_tests::shop::{A, B, shop};

use super::fixture::{COUNT, ann, asked, bob, by, enter, login, roll_back, support_shop};

#[tokio::test]
async fn with_no_right_but_the_grant() {
    let db = support_shop("imp_alone").await;
    let ann = ann(&db).await;
    // Stock: a login of support reads what the application reads, whichever tenant's, and nothing says why.
    db.superuser().await.run(&format!("grant select on stock_orders to {}", login(&db, "ann"))).await;
    ann.run(&format!("begin; set local app.tenant = '{B}'")).await;
    assert_eq!(ann.value("select count(*) from stock_orders").await.as_deref(), Some("2"), "stock");
    roll_back(&ann).await;

    ann.expect_error("42501", &format!("select tenant.enter('{A}')")).await;
    ann.expect_error("42501", &format!("select tenant.enter('{A}', 'owner')")).await;
    ann.expect_error("42501", "select tenant.enter_system('a test')").await;
    ann.expect_error("TN001", COUNT).await;
    let id = asked(&ann, A, "'owner'", "").await;
    assert_eq!(by(&ann, &id, COUNT).await.as_deref(), Some("3"));
    assert_eq!(by(&ann, &id, "select tenant.current_id()").await.as_deref(), Some(A));
    // A statement by itself, as every entry.
    ann.run(&enter(&id)).await;
    ann.expect_error("TN001", COUNT).await;
    // For pools.
    ann.run(&format!("begin; select tenant.enter_as_pristine('{id}'); {COUNT}; commit; set work_mem = '5MB'")).await;
    ann.expect_error("TN008", &format!("select tenant.enter_as_pristine('{id}')")).await;
    ann.run("reset work_mem").await;
    // Ids of the other kinds.
    db.admin().await.run("select tenant.create('7')").await;
    let number = ann.value("select tenant.impersonate(7, null, 'ticket 8')").await.expect("an id");
    assert_eq!(by(&ann, &number, "select tenant.current_id()").await.as_deref(), Some("7"));
    ann.run(&format!("select tenant.impersonate('{A}'::uuid, null, 'ticket 9')")).await;
}

#[tokio::test]
async fn by_anothers_id() {
    let db = support_shop("imp_other").await;
    let (ann, bob) = (ann(&db).await, bob(&db).await);
    let id = asked(&ann, A, "null", "").await;
    let nobodys = "00000000-0000-4000-8000-000000000000";
    let mut details = Vec::new();
    for other in [id.as_str(), nobodys] {
        let error = bob.expect_error("TN158", &enter(other)).await;
        assert!(error.hint().is_some_and(|h| h.contains("impersonate")), "{error:?}");
        details.push((error.message().to_owned(), error.detail().map(str::to_owned)));
    }
    assert_eq!(details[0], details[1], "one that is another's tells nothing");
    bob.expect_error("TN158", "select tenant.enter_as(null)").await;
    // The login counts, not what SET ROLE makes of it.
    let boss = db.superuser().await;
    boss.run(&format!("grant {} to {}", login(&db, "ann"), login(&db, "bob"))).await;
    bob.run(&format!("set role {}", login(&db, "ann"))).await;
    bob.expect_error("TN158", &enter(&id)).await;
    bob.run("reset role").await;
    // Who is no member of tenant_support may neither ask nor use one, whatever a function borrows.
    for role in [&db.roles.app, &db.roles.bystander, &db.roles.admin] {
        let session = db.connect(role).await;
        session.expect_error("42501", &format!("select tenant.impersonate('{A}', null, 'a test')")).await;
        session.expect_error("42501", &enter(&id)).await;
    }
    boss.run(&format!(
        "create function asks() returns uuid language sql security definer as $$ select tenant.impersonate('{A}', null, 'a test') $$;
         create function enters(id uuid) returns text language sql security definer as $$ select tenant.enter_as(id) $$"
    ))
    .await;
    let app = db.app().await;
    app.expect_error("TN158", "select asks()").await;
    app.expect_error("TN158", &format!("select enters('{id}')")).await;
    // The rows behind it are nobody's to write.
    for role in [&login(&db, "ann"), &db.roles.app, &db.roles.admin] {
        let session = db.connect(role).await;
        session.expect_error("42501", "update tenant.impersonations set login = session_user").await;
        session.expect_error("42501", &format!("select tenant_internal.journal_enter_as('{id}')")).await;
    }
}

/// Membership is asked at each statement.
#[tokio::test]
async fn who_was_let_in_once() {
    let db = support_shop("imp_once").await;
    let (ann, boss) = (ann(&db).await, db.superuser().await);
    let id = asked(&ann, A, "null", "").await;
    ann.run(&format!("begin; {}; {COUNT}", enter(&id))).await;
    boss.run(&format!("revoke tenant_support from {}", login(&db, "ann"))).await;
    ann.expect_error("TN158", COUNT).await;
    roll_back(&ann).await;
    ann.expect_error("42501", &enter(&id)).await;
    // A superuser is a member of nothing by that, and needs none of it.
    let error = boss.expect_error("TN158", &enter(&id)).await;
    assert!(error.detail().is_some_and(|d| d.contains("tenant_support")), "{error:?}");
}

/// One that its transaction could undo, and with it the lines that tell of it.
#[tokio::test]
async fn before_it_is_committed() {
    let db = support_shop("imp_uncommitted").await;
    let ann = ann(&db).await;
    for between in ["", "savepoint s;"] {
        ann.run(&format!("begin; {between} create temp table mine on commit drop as select tenant.impersonate('{A}', null, 'ticket 7') id")).await;
        let id = ann.value("select id from mine").await.expect("an id");
        let error = ann.expect_error("TN158", &enter(&id)).await;
        assert!(error.detail().is_some_and(|d| d.contains("undo")), "{error:?}");
        roll_back(&ann).await;
    }
    ann.expect_error("TN158", &format!("select tenant.enter_as(tenant.impersonate('{A}', null, 'ticket 7'))")).await;
    assert_eq!(ann.value("select count(*) from tenant.open_impersonations").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn with_a_bound_or_signing_login() {
    let db = shop("imp_bound").await;
    super::fixture::support(&db).await;
    let (boss, admin) = (db.superuser().await, db.admin().await);
    let id = asked(&ann(&db).await, A, "null", "").await;
    boss.run(&format!("alter role {} set pg_tenant.require_signed = on", login(&db, "ann"))).await;
    ann(&db).await.expect_error("TN090", &enter(&id)).await;
    boss.run(&format!("alter role {} reset pg_tenant.require_signed; grant tenant_user to {0}", login(&db, "ann")))
        .await;
    let error = admin.expect_error("TN040", &format!("select tenant.bind_role('{}', '{A}')", login(&db, "ann"))).await;
    assert!(error.detail().is_some_and(|d| d.contains("tenant_support")), "{error:?}");
    boss.run(&format!("revoke tenant_support from {}", login(&db, "ann"))).await;
    admin.run(&format!("select tenant.bind_role('{}', '{A}')", login(&db, "ann"))).await;
    boss.run(&format!("grant tenant_support to {}", login(&db, "ann"))).await;
    let error = ann(&db).await.expect_error("TN158", &enter(&id)).await;
    assert!(error.detail().is_some_and(|d| d.contains("bound")), "{error:?}");
}

#[tokio::test]
async fn for_a_tenant_that_nobody_enters() {
    let db = support_shop("imp_states").await;
    let (ann, admin) = (ann(&db).await, db.admin().await);
    let id = asked(&ann, A, "null", "").await;
    ann.expect_error("TN002", "select tenant.impersonate('nobody', null, 'ticket 7')").await;
    ann.expect_error("TN004", "select tenant.impersonate('no id', null, 'ticket 7')").await;
    admin.run(&format!("select tenant.suspend('{A}')")).await;
    ann.expect_error("TN003", &enter(&id)).await;
    admin.run(&format!("select tenant.offboard('{A}', 'they leave')")).await;
    ann.expect_error("TN131", &enter(&id)).await;
}

/// Roles that enter tenants change no role, and those of support do.
#[tokio::test]
async fn that_makes_itself_another() {
    let db = support_shop("imp_role").await;
    let ann = ann(&db).await;
    ann.expect_error("TN039", &format!("alter role {} set work_mem = '5MB'", login(&db, "ann"))).await;
}
