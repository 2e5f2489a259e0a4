//! A token that is wrong in one thing is refused for that thing. The cases are known mistakes of other implementations.

use pg_tenant_tests::shop::A;

use crate::fixture::{Keys, SECRET, SECRET_2, configure, enter, hs, message, now, raw, secret_jwk, server, set};
use crate::fixture::{base64url, shop_with_keys, token, verdict, write_keys};

fn claims(more: &str) -> String {
    format!(r#"{{"tenant_id":"{A}","exp":{}{more}}}"#, now() + 600)
}

#[tokio::test]
async fn by_what_its_header_says() {
    let (db, keys) = shop_with_keys("header").await;
    let app = db.app().await;
    assert_eq!(verdict(&app, &raw(r#"{"alg":"HS256","kid":"hs"}"#, &claims(""))).await, "", "it would be right");
    for alg in ["none", "None", "HS512", "RS256", "EdDSA"] {
        let signed = raw(&format!(r#"{{"alg":"{alg}","kid":"hs"}}"#), &claims(""));
        assert_eq!(verdict(&app, &signed).await, "TN093", "{alg}");
        let unsigned = format!("{}.", signed.rsplit_once('.').expect("a signature").0);
        assert_eq!(verdict(&app, &unsigned).await, "TN093", "{alg}, no signature");
    }
    // HS256 with what everybody knows of a public key as the secret.
    let public = keys.rsa_public();
    for known in [public.n, base64url(keys.rsa_public().n).into_bytes(), keys.jwks().into_bytes()] {
        let message = message(r#"{"alg":"HS256","kid":"rs"}"#, &claims(""));
        let signature = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &known), message.as_bytes());
        assert_eq!(verdict(&app, &format!("{message}.{}", base64url(signature))).await, "TN093");
    }
    // A key that it brings along.
    let jwk = secret_jwk("hs", SECRET_2);
    let header = format!(r#"{{"alg":"HS256","kid":"hs","jwk":{jwk},"jku":"file:///etc/passwd"}}"#);
    let message = message(&header, &claims(""));
    let signature = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET_2), message.as_bytes());
    assert_eq!(verdict(&app, &format!("{message}.{}", base64url(signature))).await, "TN093");
    for header in [r#"{"alg":"HS256","kid":"hs","crit":["exp"]}"#, r#"{"alg":"HS256","alg":"HS256","kid":"hs"}"#] {
        assert_eq!(verdict(&app, &raw(header, &claims(""))).await, "TN092", "{header}");
    }
    assert_eq!(verdict(&app, &raw(r#"{"alg":"HS256"}"#, &claims(""))).await, "TN093", "which of the keys?");
}

#[tokio::test]
async fn with_another_key() {
    let (db, keys) = shop_with_keys("key").await;
    let app = db.app().await;
    assert_eq!(verdict(&app, &hs("hs", SECRET_2, &claims(""))).await, "TN093");
    assert_eq!(verdict(&app, &hs("gone", SECRET, &claims(""))).await, "TN093");
    let others = Keys::new();
    for kid in ["ed", "es"] {
        assert_eq!(verdict(&app, &others.sign(kid, &claims(""))).await, "TN093", "{kid}");
        assert_eq!(verdict(&app, &keys.sign(kid, &claims(""))).await, "", "{kid}");
    }
    for kid in ["hs", "ed", "es", "rs"] {
        let good = keys.sign(kid, &claims(""));
        let (signed, signature) = good.rsplit_once('.').expect("a signature");
        let (header, _) = signed.split_once('.').expect("claims");
        let others = base64url(claims("").replace(A, pg_tenant_tests::shop::B));
        assert_eq!(verdict(&app, &format!("{header}.{others}.{signature}")).await, "TN093", "{kid}: other claims");
        assert_eq!(verdict(&app, &format!("{signed}.")).await, "TN093", "{kid}: no signature");
    }
}

#[tokio::test]
async fn by_its_claims() {
    let (db, _) = shop_with_keys("claims").await;
    let app = db.app().await;
    let signed = |claims: &str| hs("hs", SECRET, claims);
    for (verdict_, claims) in [
        ("TN097", format!(r#"{{"tenant_id":"{A}"}}"#)),
        ("TN097", format!(r#"{{"tenant_id":"{A}","exp":null}}"#)),
        ("TN097", format!(r#"{{"tenant_id":"{A}","exp":"{}"}}"#, now() + 600)),
        ("TN097", format!(r#"{{"exp":{}}}"#, now() + 600)),
        ("TN097", claims(r#","sub":["ann"]"#)),
        ("TN097", claims(r#","role":"""#)),
        ("TN094", format!(r#"{{"tenant_id":"{A}","exp":{}}}"#, now())),
        ("TN095", claims(&format!(r#","nbf":{}"#, now() + 500))),
        ("TN096", claims(r#","aud":"billing""#)),
        ("TN092", claims(&format!(r#","tenant_id":"{A}""#))),
        ("TN092", "[]".into()),
    ] {
        assert_eq!(verdict(&app, &signed(&claims)).await, verdict_, "{claims}");
    }
    for token in ["", "x", "a.b", "a.b.c", &"x".repeat(9000), "é.é.é"] {
        assert_eq!(verdict(&app, token).await, "TN092", "{token}");
    }
    let good = token(A, None, None);
    for token in [format!("{good}="), format!("{good}\n"), format!("{good}.x")] {
        assert_eq!(verdict(&app, &token).await, "TN092", "{token}");
    }
    let error = enter(&app, &signed(&format!(r#"{{"tenant_id":"{A}"}}"#))).await.expect_err("no exp");
    assert_eq!(error.detail(), Some("Its claim \"exp\" is missing."));
}

/// The settings of claims, each seen to take and to refuse.
#[tokio::test]
async fn by_what_is_configured() {
    let cluster = server();
    write_keys(&cluster, &set(&[&secret_jwk("hs", SECRET)]), 0o600).await;
    let db = cluster.database("configured").await;
    db.admin().await.run("select tenant.create('acme'), tenant.create('7')").await;
    configure(
        &cluster,
        &[
            ("pg_tenant.jwt_issuer", "https://login.example"),
            ("pg_tenant.jwt_audience", "db"),
            ("pg_tenant.jwt_tenant_claim", "https://example/t"),
            ("pg_tenant.jwt_actor_claim", "email"),
            ("pg_tenant.jwt_role_claim", ""),
            ("pg_tenant.jwt_leeway", "60"),
        ],
    )
    .await;
    let app = db.app().await;
    let claims = |iss: &str, aud: &str, exp: i64| {
        format!(r#"{{"iss":"{iss}","aud":{aud},"exp":{exp},"https://example/t":7,"email":"a@b","sub":"x","role":"y"}}"#)
    };
    let us = "https://login.example";
    app.run("begin").await;
    assert_eq!(enter(&app, &hs("hs", SECRET, &claims(us, r#"["db","x"]"#, now() - 1))).await.expect("enter"), "7");
    let who = app.value("select tenant.current_actor() || coalesce(tenant.current_actor_role(), '')").await;
    assert_eq!(who.as_deref(), Some("a@b"));
    app.run("rollback").await;
    for (verdict_, claims) in [
        ("TN096", claims("https://login.example/", r#""db""#, now() + 60)),
        ("TN096", claims(us, r#""dbx""#, now() + 60)),
        ("TN096", claims(us, "[]", now() + 60)),
        ("TN096", format!(r#"{{"iss":"{us}","exp":{},"https://example/t":7}}"#, now() + 60)),
        ("TN096", format!(r#"{{"aud":"db","exp":{},"https://example/t":7}}"#, now() + 60)),
        ("TN094", claims(us, r#""db""#, now() - 61)),
        ("TN097", format!(r#"{{"iss":"{us}","aud":"db","exp":{},"tenant_id":"acme"}}"#, now() + 60)),
    ] {
        assert_eq!(verdict(&app, &hs("hs", SECRET, &claims)).await, verdict_, "{claims}");
    }
}
