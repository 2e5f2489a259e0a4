//! A null, a malformed slug or an id of another type: taken for something else, or refused with the row in DETAIL.

use pg_tenant_tests::shop::{A, shop};

#[tokio::test]
async fn for_an_id() {
    let db = shop("null_id").await;
    let (app, admin) = (db.app().await, db.admin().await);
    for entry in
        ["enter(null)", "enter(null::text)", "enter(null::uuid)", "enter(null::bigint)", "enter_pristine(null)"]
    {
        let refused = app.expect_error("TN004", &format!("select tenant.{entry}")).await;
        assert!(
            refused.detail().is_some_and(|detail| detail.contains("null")) && refused.hint().is_some(),
            "{refused:?}"
        );
    }
    app.expect_error("TN092", "select tenant.enter_signed(null)").await;
    for call in [
        "create(null)",
        "create(null::uuid, name => 'secret')",
        "create(null::bigint)",
        "suspend(null)",
        "resume(null::uuid)",
        "set_limits(null::bigint)",
        "bind_role('x', null)",
        "canonical_id(null)",
    ] {
        let refused = admin.expect_error("TN004", &format!("select tenant.{call}")).await;
        assert!(!refused.detail().unwrap_or_default().contains("secret"), "{refused:?}");
    }
}

#[tokio::test]
async fn for_a_slug_or_settings() {
    let db = shop("slugs").await;
    let admin = db.admin().await;
    for bad in [
        "slug => 'Acme Inc'",
        "slug => ''",
        "slug => '-a'",
        "slug => 'a.b'",
        "slug => repeat('a', 64)",
        "settings => '[]'",
        "settings => 'null'",
    ] {
        let call = format!("select tenant.create('new', name => 'A Secret Name', {bad})");
        let refused = admin.expect_error("TN053", &call).await; // TN053
        let said = format!("{:?}", (refused.message(), refused.detail(), refused.hint()));
        assert!(!said.contains("Secret"), "{said}");
    }
    admin.run("select tenant.create('new', slug => 'a-1', settings => null)").await;
    // Neither does a second one show the row of the first.
    let refused = admin.expect_error("TN050", "select tenant.create('newer', name => 'Secret', slug => 'a-1')").await;
    assert!(!refused.detail().unwrap_or_default().contains("Secret"));
}

#[tokio::test]
async fn for_a_type() {
    let db = shop("types").await;
    let (admin, app) = (db.admin().await, db.app().await);
    admin.run("select tenant.create(7)").await;
    for (id, text) in [(format!("'{A}'::uuid"), A), ("7".to_owned(), "7"), ("7::bigint".to_owned(), "7")] {
        admin.run(&format!("select tenant.suspend({id}, 'unpaid')")).await;
        app.refused_inside("TN003", text, "select 1").await;
        admin.run(&format!("select tenant.resume({id}); select tenant.set_limits({id}, work_mem => '1MB')")).await;
        assert_eq!(app.inside_value(text, "show work_mem").await.as_deref(), Some("1MB"));
        admin.run(&format!("select tenant.bind_role('{}', {id})", db.roles.app)).await;
        assert_eq!(db.app().await.value("select tenant.current_id()").await.as_deref(), Some(text));
        admin.run(&format!("select tenant.unbind_role('{}')", db.roles.app)).await;
    }
}
