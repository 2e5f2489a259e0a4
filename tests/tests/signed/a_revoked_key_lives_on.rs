//! Keys change by reload: two can be valid at once, a removed key is refused, and a bad set changes nothing.

use crate::fixture::{
    SECRET, SECRET_2, configure, hs, now, reload, reloaded, secret_jwk, server, set, verdict, write_keys,
};

#[tokio::test]
async fn after_a_reload() {
    let cluster = server();
    let (old, new) = (secret_jwk("old", SECRET), secret_jwk("new", SECRET_2));
    write_keys(&cluster, &set(&[&old]), 0o600).await;
    let db = cluster.database("rotation").await;
    db.admin().await.run("select tenant.create('acme')").await;
    let claims = format!(r#"{{"tenant_id":"acme","exp":{}}}"#, now() + 3000);
    let (by_old, by_new) = (hs("old", SECRET, &claims), hs("new", SECRET_2, &claims));

    let app = db.app().await;
    assert_eq!(verdict(&app, &by_old).await, "");
    assert_eq!(verdict(&app, &by_new).await, "TN093");

    // The file alone changes nothing in a session that has read it.
    write_keys(&cluster, &set(&[&old, &new]), 0o600).await;
    assert_eq!(verdict(&app, &by_new).await, "TN093");
    reload(&cluster).await;
    reloaded(&app, &cluster).await;
    assert_eq!((verdict(&app, &by_old).await, verdict(&app, &by_new).await), (String::new(), String::new()));

    // A bad set: the one before stays in use, and the log says so, without a word of what is in it.
    for bad in ["{", r#"{"keys":[]}"#, &set(&[&new, &secret_jwk("short", b"too short")]), &set(&[&new, &new])] {
        write_keys(&cluster, bad, 0o600).await;
        let said = cluster.log().len();
        reload(&cluster).await;
        reloaded(&app, &cluster).await;
        assert_eq!(
            (verdict(&app, &by_old).await, verdict(&app, &by_new).await),
            (String::new(), String::new()),
            "{bad}"
        );
        let log = cluster.log().split_off(said);
        assert!(log.contains("The keys read before stay in use."), "{bad}\n{log}");
        for (secret, name) in [(SECRET, "SECRET"), (SECRET_2, "SECRET_2"), (b"too short", "short")] {
            assert!(!log.contains(&crate::fixture::base64url(secret)), "{name} is in the log");
        }
        // A session that begins now has none from before.
        assert_eq!(verdict(&db.app().await, &by_old).await, "TN091", "{bad}");
    }

    // Revoked: also for a token that this session has verified before.
    write_keys(&cluster, &set(&[&new]), 0o600).await;
    reload(&cluster).await;
    reloaded(&app, &cluster).await;
    assert_eq!((verdict(&app, &by_old).await, verdict(&app, &by_new).await), ("TN093".into(), String::new()));

    // A rule that came meanwhile holds for it as well.
    configure(&cluster, &[("pg_tenant.jwt_audience", "db")]).await;
    reloaded(&app, &cluster).await;
    assert_eq!(verdict(&app, &by_new).await, "TN096");

    configure(&cluster, &[("pg_tenant.jwks_file", "")]).await;
    reloaded(&app, &cluster).await;
    assert_eq!(verdict(&app, &by_new).await, "TN091");
}
