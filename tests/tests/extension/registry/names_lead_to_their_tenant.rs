//! Slugs and domains lead to one tenant: a slug that was renamed still does, a domain does once its proof was seen, and
//! nobody takes another tenant's.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop};

async fn found(app: &Session, by: &str) -> Option<String> {
    let rows = app.rows(&format!("select id, coalesce(slug, '-') from tenant.find({by})")).await;
    assert!(rows.len() <= 1, "{by}: {rows:?}");
    rows.into_iter().next().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

#[tokio::test]
async fn a_slug_that_was_renamed_leads_to_the_new_one() {
    let db = shop("slugs_renamed").await;
    let (admin, app) = (db.admin().await, db.app().await);
    let rename = |to: &str| format!("update tenant.tenants set slug = '{to}' where id = '{A}'");
    admin.run(&rename("acme")).await;
    admin.run(&rename("acme-inc")).await;
    let expected = Some(format!("{A} acme-inc"));
    for by in ["'a'", "'acme'", "'acme-inc'", &format!("'a', '{A}'")] {
        assert_eq!(found(&app, by).await, expected, "{by}");
    }
    assert_eq!(found(&app, &format!("'a', '{B}'")).await, None);
    assert_eq!(found(&app, "'nobody'").await, None);
    assert_eq!(found(&app, "").await, None);
    // It is nobody else's until it is released; its own again whenever it likes.
    for take in [
        format!("update tenant.tenants set slug = 'acme' where id = '{B}'"),
        "select tenant.create('third', slug => 'acme')".to_owned(),
    ] {
        let refused = admin.expect_error("TN134", &take).await;
        assert!(refused.detail().is_some_and(|detail| detail.contains(A)) && refused.hint().is_some(), "{refused:?}");
    }
    admin.run(&rename("acme")).await;
    assert_eq!(found(&app, "'acme-inc'").await, Some(format!("{A} acme")));
    admin.expect_error("TN029", "select tenant.release_slug('acme-inc', null)").await;
    admin.run("select tenant.release_slug('acme-inc', 'sold'), tenant.create('third', slug => 'acme-inc')").await;
    assert_eq!(found(&app, "'acme-inc'").await.as_deref(), Some("third acme-inc"));
    // One that is gone keeps none.
    admin.run(&format!("select tenant.offboard('{A}', 'left', now()); select tenant.mark_purged('{A}', 'left')")).await;
    for slug in ["'a'", "'acme'"] {
        assert_eq!(found(&app, slug).await, None);
    }
    admin.run(&format!("update tenant.tenants set slug = 'acme' where id = '{B}'")).await;
}

#[tokio::test]
async fn a_reserved_slug_is_given_to_nobody() {
    let db = shop("slugs_reserved").await;
    let admin = db.admin().await;
    admin.expect_error("TN029", "select tenant.reserve_slug('www', ' ')").await;
    admin.expect_error("23514", "select tenant.reserve_slug('W W', 'malformed')").await;
    admin.run("select tenant.reserve_slug('www', 'the site'), tenant.reserve_slug('b', 'later')").await;
    admin.expect_error("TN134", "select tenant.create('third', slug => 'www')").await;
    admin.expect_error("TN134", &format!("update tenant.tenants set slug = 'www' where id = '{A}'")).await;
    // Who has it keeps it.
    admin.run(&format!("update tenant.tenants set name = 'B', slug = 'b' where id = '{B}'")).await;
    admin.run("select tenant.release_slug('www', 'the site has moved'), tenant.create('third', slug => 'www')").await;
    for sql in ["insert into tenant.reserved_slugs values ('x', 'y')", "delete from tenant.former_slugs"] {
        admin.expect_error("42501", sql).await;
    }
}

#[tokio::test]
async fn a_domain_leads_to_who_has_proved_it() {
    let db = shop("domains").await;
    let (admin, app) = (db.admin().await, db.app().await);
    let by = "by_domain => 'App.Acme.example.'";
    let token = async |tenant: &str| {
        let call = format!("select tenant.add_domain('{tenant}', 'app.acme.EXAMPLE')");
        admin.value(&call).await.expect("a token")
    };
    let (of_a, of_b) = (token(A).await, token(B).await);
    assert_eq!(token(A).await, of_a, "asked again it is the same");
    assert_ne!(of_a, of_b);
    assert_eq!(found(&app, by).await, None, "nobody has proved it");
    let verify =
        |tenant: &str, proof: &str| format!("select tenant.verify_domain('{tenant}', 'app.acme.example', {proof})");
    for proof in ["null", "''", &format!("'{of_b}'"), &format!("'{of_a} '")] {
        admin.expect_error("TN135", &verify(A, proof)).await;
    }
    admin.run(&verify(A, &format!("'{of_a}'"))).await;
    assert_eq!(found(&app, by).await, Some(format!("{A} a")));
    assert_eq!(found(&app, &format!("'b', null, {}", "'app.acme.example'")).await, None, "another's slug");
    // The other has its own proof, and comes too late.
    admin.expect_error("TN135", &verify(B, &format!("'{of_b}'"))).await;
    admin.expect_error("TN135", &format!("select tenant.remove_domain('{B}', 'acme.example')")).await;
    admin.run(&format!("select tenant.remove_domain('{A}', 'app.acme.example', 'sold')")).await;
    assert_eq!(found(&app, by).await, None);
    admin.run(&verify(B, &format!("'{of_b}'"))).await;
    assert_eq!(found(&app, by).await, Some(format!("{B} b")));
    for malformed in ["acme", "a b.example", "-a.example", "a..example", "*.example", &"x".repeat(254), ""] {
        let refused = admin.expect_error("TN135", &format!("select tenant.add_domain('{A}', '{malformed}')")).await;
        assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    }
    admin.expect_error("TN002", "select tenant.add_domain('nobody', 'b.example')").await;
    for sql in ["table tenant.domains", &verify(A, "'x'"), "table tenant.former_slugs"] {
        app.expect_error("42501", sql).await;
    }
    admin.expect_error("42501", "update tenant.domains set verified_at = now()").await;
    admin.run(&format!("select tenant.offboard('{B}', 'left', now()); select tenant.mark_purged('{B}', 'left')")).await;
    assert_eq!(admin.value("select count(*) from tenant.domains").await.as_deref(), Some("0"));
}
