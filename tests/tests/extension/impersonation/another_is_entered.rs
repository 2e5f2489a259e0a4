//! A transaction that works by a grant works otherwise, or one that works otherwise goes on by a grant.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{COUNT, ann, asked, enter, login, roll_back, support_shop};

#[tokio::test]
async fn in_the_same_transaction() {
    let db = support_shop("imp_second").await;
    let boss = db.superuser().await;
    // The worst login: one that may do everything.
    boss.run(&format!("grant tenant_user, tenant_system to {}", login(&db, "ann"))).await;
    boss.run("grant select, insert, update, delete on orders to tenant_system").await;
    let ann = ann(&db).await;
    let (first, again, other) = (
        asked(&ann, A, "null", "").await,
        asked(&ann, A, "'owner'", ", write => true").await,
        asked(&ann, B, "null", "").await,
    );
    let (plain, actor) = (format!("select tenant.enter('{A}')"), format!("select tenant.enter('{A}', 'owner')"));
    let system = "select tenant.enter_system('a test')".to_owned();
    let (first, again, other) = (enter(&first), enter(&again), enter(&other));
    for (one, two, code) in [
        (&first, &other, "TN005"),
        (&first, &again, "TN099"),
        (&again, &first, "TN099"),
        (&first, &actor, "TN099"),
        (&first, &system, "TN014"),
        (&plain, &first, "TN099"),
        (&actor, &again, "TN099"),
        (&system, &first, "TN014"),
    ] {
        for between in ["", "rollback to s;"] {
            ann.run(&format!("begin; savepoint s; {one}; {between}")).await;
            ann.expect_error(code, two).await;
            roll_back(&ann).await;
        }
    }
    // Entered without saying anything new: it stays what it is, and what was undone does not come back as another.
    ann.run(&format!("begin; savepoint s; {first}; {first}; {plain}")).await;
    assert!(ann.value("select tenant.current_impersonator()").await.is_some());
    ann.expect_error("25006", "insert into orders values (tenant.current_uuid(), 9, 'x')").await;
    ann.run("rollback to s").await;
    ann.expect_error("TN099", &plain).await;
    ann.run(&format!("rollback to s; {first}")).await;
    assert_eq!(ann.value(COUNT).await.as_deref(), Some("3"));
    roll_back(&ann).await;
    assert_eq!(ann.value("select tenant.current_impersonator()").await, None);
}

#[tokio::test]
async fn asked_for_inside_a_tenant() {
    let db = support_shop("imp_inside").await;
    let ann = ann(&db).await;
    let id = asked(&ann, A, "null", ", write => true").await;
    for sql in [
        format!("select tenant.impersonate('{B}', null, 'ticket 7')"),
        format!("select tenant.approve_impersonation('{id}')"),
        format!("select tenant.end_impersonation('{id}')"),
    ] {
        ann.run(&format!("begin; {}", enter(&id))).await;
        let error = ann.expect_error("TN158", &sql).await;
        assert!(error.detail().is_some_and(|d| d.contains(A)), "{error:?}");
        roll_back(&ann).await;
    }
}
