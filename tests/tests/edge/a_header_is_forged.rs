//! A service believes a tenant in a header only where its signature is valid.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use axum::routing::get;
use axum::{Json, Router};
use pg_tenant_client::outbound::{Inbound, Outbound, REQUEST_ID, TENANT_CONTEXT, strip};
use pg_tenant_client::{Refusal, Signer, Tenant, ambient};
use pg_tenant_tests::shop::{A, B, shop};
use serde_json::{Value, json};

use crate::api::{Api, State, answer};
use crate::signed::{SECRET, SECRET_2, hs, now, raw, secret_jwk, set, token};

fn outbound(secret: &[u8], to: &str) -> Outbound {
    Outbound::new(Signer::hs256(Some("hs"), secret).unwrap(), to)
}

fn inbound() -> Inbound {
    Inbound::new(set(&[&secret_jwk("hs", SECRET)]).as_bytes(), "billing").unwrap()
}

fn ann() -> Tenant {
    A.parse::<Tenant>().unwrap().with_actor("Änn \u{1f464}").with_role("clerk")
}

fn put(outbound: &Outbound, request_id: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    outbound.put(&mut headers, &ann(), request_id).unwrap();
    headers
}

#[test]
fn and_is_taken() {
    let refused = |headers: &HeaderMap| inbound().read(headers).unwrap_err().refusal().unwrap();
    let mut good = put(&outbound(SECRET, "billing"), Some("r-1"));
    assert!(good[&TENANT_CONTEXT].is_sensitive(), "it is in no log of headers");
    assert_eq!(refused(&put(&outbound(SECRET_2, "billing"), None)), Refusal::UntrustedToken);
    assert_eq!(refused(&put(&outbound(SECRET, "shipping"), None)), Refusal::TokenNotForHere);

    let exp = now() + 60;
    for (claims, refusal) in [
        // A user's token, by the same key.
        (format!(r#"{{"tenant_id":"{A}","exp":{exp}}}"#), Refusal::TokenNotForHere),
        (format!(r#"{{"tenant_id":"{A}","aud":"billing","exp":{exp}}}"#), Refusal::TokenNotForHere),
        (format!(r#"{{"tenant_id":"{A}","aud":"pg-tenant-hop:billing","exp":{}}}"#, now() - 1), Refusal::TokenExpired),
        (format!(r#"{{"aud":"pg-tenant-hop:billing","exp":{exp}}}"#), Refusal::TokenClaimUnusable),
    ] {
        let headers =
            HeaderMap::from_iter([(TENANT_CONTEXT, HeaderValue::from_str(&hs("hs", SECRET, &claims)).unwrap())]);
        assert_eq!(refused(&headers), refusal, "{claims}");
    }
    let bare = raw(r#"{"alg":"none"}"#, &format!(r#"{{"tenant_id":"{A}","exp":{exp}}}"#));
    for forged in [A, "{\"tenant_id\":\"acme\"}", &bare, ""] {
        let headers = HeaderMap::from_iter([(TENANT_CONTEXT, HeaderValue::from_str(forged).unwrap())]);
        assert!(inbound().read(&headers).unwrap_err().is_bad_token(), "{forged}");
    }
    // Another one beside the good one, whichever is first.
    let other = HeaderValue::from_str(&token(B, None, None)).unwrap();
    good.append(TENANT_CONTEXT, other);
    assert_eq!(refused(&good), Refusal::MalformedToken);
    assert!(inbound().take(&mut good).is_err() && good.is_empty(), "and is not passed on");
    assert_eq!(inbound().read(&good).unwrap(), None);
}

#[test]
fn or_the_request_id_is() {
    let mut headers = put(&outbound(SECRET, "billing"), Some("r-1"));
    headers.insert(REQUEST_ID, HeaderValue::from_static("r-2"));
    let hop = inbound().take(&mut headers).unwrap().unwrap();
    assert_eq!((hop.tenant, hop.request_id.as_deref()), (ann(), Some("r-1")), "what is signed counts");
    assert!(headers.is_empty());
    let mut headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static("r-2"))]);
    outbound(SECRET, "billing").put(&mut headers, &ann(), None).unwrap();
    assert!(!headers.contains_key(REQUEST_ID), "one of before is not passed on as this one's");
    assert_eq!(inbound().read(&headers).unwrap().unwrap().request_id, None);
    for bad in ["", "a b", "a\nb", "ä", &"x".repeat(129)] {
        let mut headers = HeaderMap::new();
        assert!(outbound(SECRET, "billing").put(&mut headers, &ann(), Some(bad)).unwrap_err().hint().is_some());
        assert!(headers.is_empty(), "nothing is sent half");
    }
    let mut headers = put(&outbound(SECRET, "billing"), Some("r-1"));
    strip(&mut headers);
    assert!(headers.is_empty());
}

#[tokio::test]
async fn of_a_task_without_a_tenant() {
    let (outbound, mut headers) = (outbound(SECRET, "billing").ttl(Duration::from_secs(5)), HeaderMap::new());
    assert!(outbound.put_current(&mut headers, None).unwrap_err().is_no_tenant());
    assert!(headers.is_empty());
    ambient::scope(ann(), async { outbound.put_current(&mut headers, None) }).await.unwrap();
    assert_eq!(inbound().read(&headers).unwrap().unwrap().tenant, ann());
}

/// A front service asks a back service, whose layer knows tenants by the signed header alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_two_services() {
    let db = shop("hops").await;
    let state = State::new(&db);
    let directory = pg_tenant_client::directory::Directory::new(state.pool.clone());
    let back = Api::of(state.clone(), pg_tenant_client::edge::TenantLayer::new(directory, inbound())).await;
    assert_eq!(answer(back.get("/who").bearer_auth(token(A, None, None))).await.0, 400, "a user's token is not for it");
    assert_eq!(answer(back.get("/who").header(TENANT_CONTEXT, token(A, None, None))).await.0, 401);
    assert_eq!(answer(back.get("/who").header("x-tenant", A)).await.0, 400);

    let who = format!("{}/who", back.base);
    let forward = move |tenant: Tenant| {
        let who = who.clone();
        async move {
            let mut headers = HeaderMap::new();
            outbound(SECRET, "billing").put(&mut headers, &tenant, Some("r-7")).unwrap();
            let answer = reqwest::Client::new().get(who).headers(headers).send().await.unwrap();
            Json(answer.json::<Value>().await.unwrap())
        }
    };
    let front = Api::serve(Router::new().route("/", get(forward)).layer(state.layer())).await;
    for (tenant, slug, orders) in [(A, "a", 3), (B, "b", 2)] {
        let (_, said) = answer(front.get("/").bearer_auth(token(tenant, Some("ann"), None))).await;
        let expected = json!({"id": tenant, "actor": "ann", "role": null, "slug": slug, "orders": orders});
        assert_eq!(said, expected);
    }
}
