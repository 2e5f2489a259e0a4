//! A request gets into a tenant only where it proves that tenant, and where all of its proofs and names agree.

use axum::http::header::HOST;
use axum::http::{HeaderName, StatusCode};
use pg_tenant_client::Tenant;
use pg_tenant_client::edge::{Denied, Source};
use pg_tenant_tests::Database;
use pg_tenant_tests::shop::{A, B, shop};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::api::{Api, State, answer};
use crate::signed::{SECRET_2, hs, now, token};

const X_TENANT: HeaderName = HeaderName::from_static("x-tenant");
const X_TENANT_ID: HeaderName = HeaderName::from_static("x-tenant-id");

/// Two tenants, `a` and `b`; `sleepy` is suspended; of `later` there is a token, and no record.
async fn world(name: &str) -> Database<'static> {
    let db = shop(name).await;
    db.admin().await.run("select tenant.create('sleepy', slug => 'sleepy'), tenant.suspend('sleepy')").await;
    db
}

fn ann(request: RequestBuilder) -> RequestBuilder {
    request.bearer_auth(token(A, Some("ann"), Some("clerk")))
}

async fn status(request: RequestBuilder) -> u16 {
    answer(request).await.0.as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_what_it_names() {
    let db = world("e_named").await;
    let state = State::new(&db);
    let layer = state.layer().source(Source::subdomain("example.com")).source(Source::path("/t"));
    let api = Api::of(state, layer.source(Source::header(X_TENANT)).source(Source::header(X_TENANT_ID).by_id())).await;

    // First what works: no name, each name, all of them.
    let me = json!({"id": A, "actor": "ann", "role": "clerk", "slug": "a", "orders": 3});
    for request in [
        api.get("/who"),
        api.get("/who").header(HOST, "a.example.com"),
        api.get("/who").header(HOST, "example.com"),
        api.get("/t/a/who"),
        api.get("/t/%61/who"),
        api.get("/who").header(X_TENANT, "a"),
        api.get("/who").header(X_TENANT_ID, A.to_uppercase()),
        api.get("/t/a/who").header(HOST, "A.Example.com:80").header(X_TENANT, "a").header(X_TENANT_ID, A),
    ] {
        let (status, body) = answer(ann(request)).await;
        assert_eq!((status, body), (StatusCode::OK, me.clone()));
    }
    let (_, b) = answer(api.get("/t/b/who").bearer_auth(token(B, None, None))).await;
    assert_eq!(b, json!({"id": B, "actor": null, "role": null, "slug": "b", "orders": 2}));

    // One name is another tenant's, whatever the others are.
    for request in [
        api.get("/who").header(HOST, "b.example.com"),
        api.get("/t/b/who"),
        api.get("/who").header(X_TENANT, "b"),
        api.get("/who").header(X_TENANT_ID, B),
        api.get("/t/a/who").header(X_TENANT, "b"),
        api.get("/t/b/who").header(X_TENANT, "a"),
        api.get("/t/a/who").header(HOST, "a.example.com").header(X_TENANT, "a").header(X_TENANT_ID, B),
        api.get("/t/sleepy/who"),
    ] {
        assert_eq!(status(ann(request)).await, 403);
    }
    // Nobody's name; an id where a slug stands, and the other way round.
    for request in [
        api.get("/t/nobody/who"),
        api.get("/who").header(HOST, "x.a.example.com"),
        api.get("/who").header(X_TENANT, "a'; drop table orders; --"),
        api.get("/who").header(X_TENANT, ""),
        api.get(&format!("/t/{A}/who")),
        api.get("/who").header(X_TENANT_ID, "a"),
        api.get("/who").header(X_TENANT_ID, "a b"),
    ] {
        assert_eq!(status(ann(request)).await, 404);
    }
    // What can be read in two ways.
    for request in [
        api.get("/who").header(X_TENANT, "a").header(X_TENANT, "a"),
        api.get("/who").header(X_TENANT, "a").header(X_TENANT, "b"),
        api.get("/t/%00/who"),
        api.get("/who").header(HOST, "b@a.example.com"),
    ] {
        assert_eq!(status(ann(request)).await, 400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_proof() {
    let db = world("e_unproven").await;
    let state = State::new(&db);
    let api = Api::of(state.clone(), state.layer().source(Source::path("/t")).source(Source::header(X_TENANT))).await;
    assert_eq!(status(api.get("/who")).await, 400, "nothing names a tenant");
    let expired = format!(r#"{{"tenant_id":"{A}","exp":{}}}"#, now() - 60);
    for request in [
        api.get("/t/a/who"),
        api.get("/who").header(X_TENANT, "a"),
        api.get("/who").header("authorization", "Basic YTph").header(X_TENANT, "a"),
        api.get("/t/a/who").bearer_auth("x"),
        api.get("/t/a/who").bearer_auth(hs("hs", SECRET_2, &format!(r#"{{"tenant_id":"{A}","exp":{}}}"#, now() + 60))),
        api.get("/who").bearer_auth(hs("hs", crate::signed::SECRET, &expired)),
        ann(api.get("/who")).bearer_auth(token(B, None, None)),
        // Whether there is such a tenant is nothing for who proves none.
        api.get("/t/nobody/who"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
    }
    assert_eq!(state.pool.status().size, 0, "and nothing was asked of the database");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn though_its_tenant_is_not_there() {
    let db = world("e_gone").await;
    let state = State::new(&db);
    let api = Api::of(state.clone(), state.layer()).await;
    let sleepy = || token("sleepy", None, None);
    assert_eq!(status(api.get("/who").bearer_auth(sleepy())).await, 423);
    assert_eq!(status(api.get("/who").bearer_auth(token("later", None, None))).await, 404);
    assert_eq!(status(api.get("/who")).await, 400);
    // Each state by its own status; one that is being set up is to be asked for again.
    let admin = db.admin().await;
    admin
        .run(
            "insert into tenant.tenants (id, status) values ('new', 'provisioning');
             select tenant.create(id) from unnest(array['cccccccc-0000-4000-8000-00000000000c', 'leaving', 'gone']) id;
             select tenant.set_read_only('cccccccc-0000-4000-8000-00000000000c'), tenant.offboard('leaving', 'left'), tenant.offboard('gone', 'left', now());
             select tenant.mark_purged('gone', 'left')",
        )
        .await;
    for (tenant, expected) in
        [("new", 503), ("cccccccc-0000-4000-8000-00000000000c", 200), ("leaving", 423), ("gone", 404)]
    {
        let response = api.get("/who").bearer_auth(token(tenant, None, None)).send().await.unwrap();
        assert_eq!(response.status(), expected, "{tenant}");
        assert_eq!(response.headers().contains_key("retry-after"), tenant == "new");
    }
    let conceals = state.layer().status(Denied::Suspended, StatusCode::NOT_FOUND).source(Source::path("/t"));
    let conceals =
        conceals.status(Denied::Mismatch, StatusCode::NOT_FOUND).status(Denied::NoTenant, StatusCode::UNAUTHORIZED);
    let api = Api::of(state, conceals).await;
    let unknown = answer(ann(api.get("/t/nobody/who"))).await;
    assert_eq!(unknown, (StatusCode::NOT_FOUND, json!({"error": "not found"})));
    assert_eq!(answer(ann(api.get("/t/b/who"))).await, unknown);
    assert_eq!(answer(api.get("/who").bearer_auth(sleepy())).await, unknown);
    assert_eq!(status(api.get("/who")).await, 401);

    // The registry cannot be asked: nobody is let in.
    let nowhere = State {
        pool: pg_tenant_client::TenantPool::builder("host=127.0.0.1 port=1 user=app dbname=shop".parse().unwrap())
            .wait_timeout(std::time::Duration::from_millis(100))
            .build()
            .unwrap(),
        ..State::new(&db)
    };
    let api = Api::of(nowhere.clone(), nowhere.layer()).await;
    assert_eq!(status(ann(api.get("/who"))).await, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_name_it_must_have() {
    let db = world("e_required").await;
    let state = State::new(&db);
    let layer = state.layer().source(Source::subdomain("example.com").required());
    let api = Api::of(state, layer.source(Source::header(X_TENANT).required())).await;
    let both = |host: &str, header: &str| ann(api.get("/who")).header(HOST, host).header(X_TENANT, header);
    assert_eq!(status(both("a.example.com", "a")).await, 200);
    assert_eq!(status(ann(api.get("/who")).header(HOST, "a.example.com")).await, 400);
    assert_eq!(status(ann(api.get("/who")).header(X_TENANT, "a")).await, 400);
    assert_eq!(status(both("a.example.net", "a")).await, 400);
    assert_eq!(status(both("b.example.com", "a")).await, 403);
    assert_eq!(status(both("b.example.com", "b")).await, 403, "they agree, and the token does not");
}

/// A session instead of a token, and both together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_the_worse_of_two_proofs() {
    let db = world("e_proofs").await;
    let state = State::new(&db);
    let session = |request: &axum::http::request::Parts| {
        let cookie = request.headers.get("cookie").and_then(|cookie| cookie.to_str().ok());
        Ok(cookie.map(|id| id.parse::<Tenant>().expect("an id").with_actor("ann").with_role("clerk")))
    };
    let api = Api::of(state.clone(), state.layer().proof(session)).await;
    assert_eq!(status(api.get("/who").header("cookie", A)).await, 200);
    assert_eq!(status(ann(api.get("/who")).header("cookie", A)).await, 200);
    assert_eq!(status(ann(api.get("/who")).header("cookie", B)).await, 403);
    assert_eq!(status(api.get("/who").bearer_auth("x").header("cookie", A)).await, 401);
    let bob = api.get("/who").bearer_auth(token(A, Some("bob"), None)).header("cookie", A);
    assert_eq!(status(bob).await, 403, "the same tenant, and somebody else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outside_of_the_layer() {
    let db = world("e_outside").await;
    let state = State::new(&db);
    let api = Api::of(state.clone(), state.layer()).await;
    let (status, said) = answer(ann(api.get("/outside"))).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(matches!(said, Value::String(text) if text.contains("TenantLayer")));

    assert_eq!(answer(ann(api.get("/ambient"))).await.0, 500, "ambient is opt-in");
    let api = Api::of(state.clone(), state.layer().ambient()).await;
    let both =
        tokio::join!(answer(ann(api.get("/ambient"))), answer(api.get("/ambient").bearer_auth(token(B, None, None))));
    assert_eq!((both.0.1, both.1.1), (Value::String(format!("{A} 3")), Value::String(format!("{B} 2"))));
}
