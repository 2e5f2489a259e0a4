//! A session or key that is looked up gets into a tenant that it is not of; a name gets in without a proof.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::routing::get;
use pg_tenant_client::directory::Directory;
use pg_tenant_client::edge::{AsyncProof, Denied, NamedTenant, NamedTenantLayer, Source, TenantLayer, bearer, cookie};
use pg_tenant_client::{Tenant, TenantPool};
use pg_tenant_tests::Database;
use pg_tenant_tests::shop::{A, B, shop};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::api::{Api, State, answer};

/// The digest as an application keeps it.
fn hash(key: &str) -> String {
    digest(&SHA256, key.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sessions, of which the database has the hashes: `ann` of A, `bob` of B, and one of A's that is over.
async fn world(name: &str) -> Database<'static> {
    let db = shop(name).await;
    let owner = db.owner().await;
    owner
        .run(&format!(
            "create table sessions (tenant_id uuid not null, id bigint generated always as identity primary key,
                 hash text not null unique, member text not null, expires timestamptz not null);
             insert into sessions (tenant_id, hash, member, expires) values
                 ('{A}', '{}', 'ann', 'infinity'), ('{B}', '{}', 'bob', 'infinity'), ('{A}', '{}', 'ann', '-infinity');
             grant select on sessions to public",
            hash("of-ann"),
            hash("of-bob"),
            hash("of-before")
        ))
        .await;
    db.superuser()
        .await
        .run("select tenant.protect('sessions'); select tenant.allow_lookup('sessions', 'hash', 'sign-in')")
        .await;
    db.admin().await.run("select tenant.create('sleepy', slug => 'sleepy'), tenant.suspend('sleepy')").await;
    db
}

/// As the documentation shows it.
struct Sessions(TenantPool);

impl AsyncProof for Sessions {
    async fn prove_async(&self, request: &Parts) -> Result<Option<Tenant>, Denied> {
        let session = match cookie(request, "session")? {
            Some(session) => session,
            None => match bearer(request)? {
                Some(key) => key,
                None => return Ok(None),
            },
        };
        let found = self.0.lookup("sessions", "hash", &hash(session)).await?;
        let [session] = &found[..] else { return Err(Denied::Unproven) };
        let of = "select member from sessions where id = $1::text::int8 and expires > now()";
        let row = self.0.tenant(session.tenant).query_opt(of, &[&session.row_id]).await?;
        let member: String = row.ok_or(Denied::Unproven)?.get(0);
        Ok(Some(Tenant::new(session.tenant).with_actor(member)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_another_tenant() {
    let db = world("e_session").await;
    let state = State::new(&db);
    let layer = TenantLayer::new(Directory::new(state.pool.clone()), Sessions(state.pool.clone()));
    let api = Api::of(state.clone(), layer.source(Source::path("/t"))).await;
    let me = |id: &str, actor: &str, slug: &str, orders: i64| json!({"id": id, "actor": actor, "role": null, "slug": slug, "orders": orders});
    for (request, said) in [
        (api.get("/who").header("cookie", "session=of-ann"), me(A, "ann", "a", 3)),
        (api.get("/t/a/who").header("cookie", "a=b; session=\"of-ann\""), me(A, "ann", "a", 3)),
        (api.get("/who").bearer_auth("of-bob"), me(B, "bob", "b", 2)),
    ] {
        assert_eq!(answer(request).await, (StatusCode::OK, said));
    }
    for (request, status) in [
        (api.get("/t/b/who").header("cookie", "session=of-ann"), 403),
        (api.get("/who").header("cookie", "session=of-nobody"), 401),
        (api.get("/who").header("cookie", "session="), 401),
        (api.get("/who").header("cookie", "session=of-before"), 401),
        (api.get("/who").header("cookie", "session=of-ann; session=of-bob"), 401),
        (api.get("/t/a/who"), 401),
        (api.get("/who"), 400),
        (api.get("/who").header("cookie", "session=' or true --"), 401),
    ] {
        assert_eq!(answer(request).await.0.as_u16(), status);
    }

    // A store that cannot be asked lets nobody in, and says that it is not the session's fault.
    let nowhere = TenantPool::builder("host=127.0.0.1 port=1 user=app dbname=shop".parse().unwrap())
        .wait_timeout(std::time::Duration::from_millis(100))
        .build()
        .unwrap();
    let layer = TenantLayer::new(Directory::new(state.pool.clone()), Sessions(nowhere));
    let api = Api::of(state.clone(), layer).await;
    assert_eq!(answer(api.get("/who").header("cookie", "session=of-ann")).await.0, 503);

    // Beside a token, both must be of the same.
    let layer = state.layer().proof(CookieAlone(Sessions(state.pool.clone())));
    let api = Api::of(state.clone(), layer).await;
    let token = |id: &str, actor: &str| crate::signed::token(id, Some(actor), None);
    let both = |token: String| api.get("/who").bearer_auth(token).header("cookie", "session=of-ann");
    assert_eq!(answer(both(token(A, "ann"))).await.0, 200);
    assert_eq!(answer(both(token(A, "eve"))).await.0, 403);
    assert_eq!(answer(both(token(B, "ann"))).await.0, 403);
}

/// Sessions by cookie; another proof reads the header.
struct CookieAlone(Sessions);

impl AsyncProof for CookieAlone {
    async fn prove_async(&self, request: &Parts) -> Result<Option<Tenant>, Denied> {
        if cookie(request, "session")?.is_none() { Ok(None) } else { self.0.prove_async(request).await }
    }
}

async fn welcome(tenant: NamedTenant) -> String {
    format!("{:?}", tenant.record().slug)
}

async fn only_proven(tenant: Tenant) -> String {
    tenant.id().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_its_name_alone() {
    let db = world("e_named_only").await;
    let state = State::new(&db);
    let directory = Directory::new(state.pool.clone());
    let by_host = NamedTenantLayer::new(directory, Source::subdomain("example.com")).source(Source::path("/t"));
    let routes = Router::new().route("/welcome", get(welcome)).route("/orders", get(only_proven));
    let routes = routes.route("/t/{tenant}/welcome", get(welcome)).layer(by_host.clone());
    let hidden = by_host.status(Denied::Suspended, StatusCode::NOT_FOUND);
    let hidden = Router::new().route("/hidden", get(welcome)).layer(hidden);
    let outside = Router::new().route("/outside", get(welcome));
    let api = Api::serve(routes.merge(hidden).merge(outside)).await;
    let said = answer(api.get("/welcome").header(HOST, "A.example.com:443")).await;
    assert_eq!(said, (StatusCode::OK, Value::String("Some(\"a\")".to_owned())));
    for (path, host, status) in [
        ("/t/b/welcome", "b.example.com", 200),
        ("/t/b/welcome", "a.example.com", 403),
        ("/welcome", "example.com", 400),
        ("/welcome", "nobody.example.com", 404),
        ("/welcome", "sleepy.example.com", 423),
        ("/hidden", "sleepy.example.com", 404),
        // What is only named is not proven, to whatever asks for that.
        ("/orders", "a.example.com", 500),
        ("/outside", "a.example.com", 500),
    ] {
        assert_eq!(answer(api.get(path).header(HOST, host)).await.0.as_u16(), status, "{path} {host}");
    }
}
