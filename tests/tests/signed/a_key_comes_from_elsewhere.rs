//! Only the configured keys count: a session can neither bring its own nor read ours, and without keys nobody gets in.

use pg_tenant_tests::{Cluster, Options, Session, describe};

use crate::fixture::{
    Keys, SECRET, configure, enter, hs, now, secret_jwk, server, set, shop_with_keys, token, verdict, write_keys,
};

#[tokio::test]
async fn with_the_startup_packet_or_a_set() {
    let (db, _) = shop_with_keys("startup").await;
    let role = &db.roles.app;
    // On stock PostgreSQL a key in a setting of the usual kind is whoever connects may say it is.
    let stock = Session::connect(db.config(role).options("-c app.jwt_secret=mine")).await;
    assert_eq!(stock.value("show app.jwt_secret").await.as_deref(), Some("mine"));

    let app = db.app().await;
    for name in [
        "jwks_file",
        "jwt_issuer",
        "jwt_audience",
        "jwt_tenant_claim",
        "jwt_actor_claim",
        "jwt_role_claim",
        "jwt_leeway",
    ] {
        let setting = format!("pg_tenant.{name}");
        let packet = Session::try_connect(db.config(role).options(format!("-c {setting}=1"))).await;
        let error = packet.err().unwrap_or_else(|| panic!("{setting}"));
        assert!(describe(&error).contains("FATAL 55P02"), "{setting}: {}", describe(&error));
        for sql in [
            format!("set {setting} = '1'"),
            format!("select set_config('{setting}', '1', true)"),
            format!("alter role {role} set {setting} = '1'"),
            format!("reset {setting}"),
        ] {
            let error = app.batch_execute(&sql).await.expect_err(&sql);
            assert!(matches!(error.code().map(|c| c.code()), Some("55P02" | "42501")), "{sql}: {}", describe(&error));
        }
    }
    // Nor where they are.
    for sql in ["show pg_tenant.jwks_file", "select current_setting('pg_tenant.jwks_file')"] {
        app.expect_error("42501", sql).await;
    }
    let shown = "select count(*) from pg_settings where name = 'pg_tenant.jwks_file' and setting <> ''";
    assert_eq!(app.value(shown).await.as_deref(), Some("0"));
    app.expect_error("42501", "select pg_read_file('keys.json')").await;
}

#[tokio::test]
async fn where_there_are_none() {
    let cluster = Cluster::start(Options::default());
    let db = cluster.database("no_keys").await;
    db.admin().await.run("select tenant.create('acme')").await;
    let app = db.app().await;
    let error = enter(&app, &token("acme", None, None)).await.expect_err("no keys");
    assert_eq!((error.code().code(), error.detail()), ("TN091", Some("pg_tenant.jwks_file is empty.")));
    for nothing in [r#"{"alg":"none"}"#, r#"{"alg":"HS256"}"#] {
        let claims = format!(r#"{{"tenant_id":"acme","exp":{}}}"#, now() + 60);
        let unsigned = format!("{}.", crate::fixture::message(nothing, &claims));
        assert_eq!(verdict(&app, &unsigned).await, "TN091", "{nothing}");
    }
}

/// Whose file it is decides who can sign.
#[tokio::test]
async fn from_a_file_that_others_write() {
    let cluster = server();
    let db = cluster.database("file").await;
    db.admin().await.run("select tenant.create('acme')").await;
    let secret = set(&[&secret_jwk("hs", SECRET)]);
    let keys = Keys::new();
    let public = set(&[&keys.ed25519_jwk()]);
    let claims = format!(r#"{{"tenant_id":"acme","exp":{}}}"#, now() + 600);
    let by_secret = hs("hs", SECRET, &claims);
    let by_public = keys.sign("ed", &claims);

    // Each session reads the file at its first token.
    assert_eq!(verdict(&db.app().await, &by_secret).await, "TN091", "no such file");
    for (verdict_, token, jwks, mode) in [
        ("", &by_secret, &secret, 0o600),
        ("", &by_secret, &secret, 0o400),
        ("TN091", &by_secret, &secret, 0o640),
        ("TN091", &by_secret, &secret, 0o604),
        ("TN091", &by_secret, &secret, 0o620),
        ("", &by_public, &public, 0o644),
        ("TN091", &by_public, &public, 0o664),
        ("TN091", &by_public, &public, 0o646),
    ] {
        write_keys(&cluster, jwks, mode).await;
        assert_eq!(verdict(&db.app().await, token).await, verdict_, "{mode:o}");
    }
    let log = cluster.log();
    for said in [
        "No such file",
        "Its mode is 0640, and it holds a secret that others may read",
        "Its mode is 0664: others may write it",
    ] {
        assert!(log.contains(said), "the log does not say {said}:\n{log}");
    }
    configure(&cluster, &[("pg_tenant.jwks_file", ".")]).await;
    assert_eq!(verdict(&db.app().await, &by_secret).await, "TN091", "a directory");
    assert!(cluster.log().contains("It is not a regular file."));
}
