//! Support works in the place of a user who is no member, or may there what the user may not.

use pg_tenant_tests::shop::{A, B};

use super::fixture::{ann, asked, by, enter, roll_back, support_shop};
use crate::people::fixture::{STANDING, people};

#[tokio::test]
async fn where_members_are_kept() {
    let db = support_shop("imp_member").await;
    let (ann, admin) = (ann(&db).await, db.admin().await);
    people(&admin).await;
    let id = asked(&ann, A, "'editor'", "").await;
    assert_eq!(by(&ann, &id, STANDING).await.as_deref(), Some("editor read write"));
    let id_in_b = asked(&ann, B, "'editor'", "").await;
    assert_eq!(by(&ann, &id_in_b, STANDING).await.as_deref(), Some("viewer read"));
    for (tenant, user) in [(B, "owner"), (A, "nobody")] {
        let error =
            ann.expect_error("TN158", &format!("select tenant.impersonate('{tenant}', '{user}', 'ticket 7')")).await;
        assert!(error.detail().is_some_and(|d| d.contains("active members")), "{error:?}");
    }
    // Without a user there are no permissions.
    let alone = asked(&ann, A, "null", "").await;
    assert_eq!(by(&ann, &alone, STANDING).await.as_deref(), Some("-"));
    // Who is deactivated after it was asked for.
    admin.run(&format!("select tenant.deactivate_member('{A}', 'editor', 'left')")).await;
    ann.expect_error("TN158", &enter(&id)).await;
    assert_eq!(by(&ann, &id_in_b, STANDING).await.as_deref(), Some("viewer read"));
    // Where members alone enter, support without a user does not.
    db.superuser()
        .await
        .run(&format!("alter role {} set pg_tenant.require_member = on", super::fixture::login(&db, "ann")))
        .await;
    super::fixture::ann(&db).await.expect_error("TN140", &enter(&alone)).await;
    // It manages nobody's members, and adds itself to none.
    let id = asked(&ann, A, "'owner'", ", write => true").await;
    ann.run(&format!("begin; {}", enter(&id))).await;
    ann.expect_error("42501", "select tenant.add_member(tenant.current_id(), 'ann', 'owner')").await;
    roll_back(&ann).await;
}

/// An application that keeps its users itself names them, and the database takes its word.
#[tokio::test]
async fn where_they_are_not() {
    let db = support_shop("imp_names").await;
    let ann = ann(&db).await;
    let id = asked(&ann, A, "'whoever'", "").await;
    assert_eq!(by(&ann, &id, "select tenant.current_actor()").await.as_deref(), Some("whoever"));
}
