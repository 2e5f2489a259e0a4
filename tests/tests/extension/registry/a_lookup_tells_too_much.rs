//! An application can look up the tenant that it was told of, and learns of no others.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop};

async fn find(session: &Session, arguments: &str) -> Vec<Vec<Option<String>>> {
    session.rows(&format!("select id, slug, plan, status from tenant.find({arguments})")).await
}

fn row(id: &str, slug: &str, status: &str) -> Vec<Vec<Option<String>>> {
    vec![vec![Some(id.into()), Some(slug.into()), None, Some(status.into())]]
}

#[tokio::test]
async fn by_its_slug_or_its_id() {
    let db = shop("find").await;
    let (app, admin) = (db.app().await, db.admin().await);
    for session in [&app, &admin] {
        assert_eq!(find(session, "'a'").await, row(A, "a", "active"));
        assert_eq!(find(session, "by_slug => 'b'").await, row(B, "b", "active"));
        assert_eq!(find(session, &format!("by_id => '{}'", B.to_uppercase())).await, row(B, "b", "active"));
        assert_eq!(find(session, &format!("'a', '{A}'")).await, row(A, "a", "active"));
        session.expect_error("TN004", "select tenant.find(by_id => 'a b')").await;
    }
    admin.run(&format!("select tenant.suspend('{A}')")).await;
    assert_eq!(find(&app, "'a'").await, row(A, "a", "suspended"));
    // A slug is no id, and an id no slug: here one tenant's id is another's slug.
    admin.run(&format!("select tenant.create('b2'); update tenant.tenants set slug = 'b2' where id = '{B}'")).await;
    assert_eq!(find(&app, "'b2'").await, row(B, "b2", "active"));
    assert_eq!(find(&app, "by_id => 'b2'").await[0][..2], [Some("b2".into()), None]);
}

#[tokio::test]
async fn or_by_nothing_at_all() {
    let db = shop("list").await;
    let app = db.app().await;
    for nothing in ["", "null", "null, null", "''", "'%'", "'_'", "'c'", "'a', 'b'", &format!("'b', '{A}'")] {
        assert_eq!(find(&app, nothing).await, Vec::<Vec<_>>::new(), "{nothing}");
    }
    app.expect_error("42501", "select * from tenant.tenants").await;
    let bystander = db.bystander().await;
    bystander.expect_error("42501", "select tenant.find('a')").await;
}

/// Who is inside a tenant may run statements of the tenant's own: it is not for them to try slugs.
#[tokio::test]
async fn inside_another_tenant() {
    let db = shop("find_inside").await;
    let app = db.app().await;
    app.run(&format!("begin; select tenant.enter('{A}')")).await;
    let error = app.expect_error("TN110", "select tenant.find('b')").await;
    assert!(error.detail().is_some_and(|detail| detail.contains(A)) && error.hint().is_some(), "{error:?}");
    app.run("rollback").await;
    assert_eq!(find(&app, "'b'").await, row(B, "b", "active"));

    let bound = format!("regress_{}_bound", db.name);
    db.superuser()
        .await
        .run(&format!("create role {bound} login in role tenant_user; select tenant.bind_role('{bound}', '{A}')"))
        .await;
    db.connect(&bound).await.expect_error("TN110", "select tenant.find('b')").await;
}
