//! A bound login's session is one tenant's to the end: what stays in it is its own, and nothing of it is refused.

use pg_tenant_tests::Session;
use pg_tenant_tests::shop::{A, B, shop};

async fn bound(db: &pg_tenant_tests::Database<'_>) -> Session {
    db.admin().await.run(&format!("select tenant.bind_role('{}', '{A}')", db.roles.app)).await;
    db.app().await
}

#[tokio::test]
async fn a_held_cursor_shows_its_own_rows() {
    let db = shop("bound_hold").await;
    // The neighbour that is refused: a session that any tenant may get.
    db.app().await.refused_inside("TN036", A, "declare c cursor with hold for select note from orders").await;
    let app = bound(&db).await;
    app.run("declare c no scroll cursor with hold for select id from orders").await; // as an ORM's iterator() in autocommit
    assert_eq!(app.rows("fetch all from c").await.len(), 3);
    app.run("close c; begin; declare c cursor with hold for select id from orders; commit").await;
    assert_eq!(app.rows("fetch all from c").await.len(), 3);
    // Any session of the role could commit it, whoever is bound to what by then.
    app.expect_error("TN036", "begin; insert into orders (id) values (9); prepare transaction 'p'").await;
}

#[tokio::test]
async fn it_hears_its_own_channels_alone() {
    let db = shop("bound_listen").await;
    let superuser = db.superuser().await;
    let name = |tenant| format!("select tenant.channel('changes', '{tenant}')");
    let (own, others) = (superuser.value(&name(A)).await.unwrap(), superuser.value(&name(B)).await.unwrap());
    let pooled = db.app().await;
    let app = bound(&db).await;
    assert_eq!(app.value("select tenant.channel('changes')").await.as_deref(), Some(own.as_str()));
    app.run(&format!("listen {own}")).await;
    for channel in [others.as_str(), "news", "tenant_registry", &own[..own.len() / 3], "tenant_"] {
        let refused = app.expect_error("TN063", &format!("listen \"{channel}\"")).await; // TN063
        assert!(refused.hint().is_some_and(|hint| hint.contains("tenant.channel")), "{refused:?}");
        app.expect_error("TN063", &format!("notify \"{channel}\"")).await;
    }
    assert_eq!(app.value("select string_agg(c, ',') from pg_listening_channels() c").await, Some(own.clone()));
    // What it sends itself, and what another session of its tenant sends, by command or by the function.
    app.run(&format!("notify {own}, 'by command'; select tenant.notify('changes', 'by function')")).await;
    assert_eq!(payloads(&app).await, ["by command", "by function"]);
    // A tenant's transaction in any session may use its own names too.
    pooled.inside(A, &format!("notify {own}, 'entered'")).await;
    pooled.refused_inside("TN063", B, &format!("notify {own}, 'of b'")).await;
    assert_eq!(payloads(&app).await, ["entered"]);
}

async fn payloads(session: &Session) -> Vec<String> {
    session.run("select 1").await;
    session.notifications().into_iter().map(|told| told.payload().to_owned()).collect()
}
