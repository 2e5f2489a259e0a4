//! A request is charged once, with the first transaction that it begins and commits; above the limit it is answered
//! 429, with when to come again and what is left, and has written nothing.

use axum::extract::State as Extracted;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Router, http::request::Parts};
use pg_tenant_client::directory::Directory;
use pg_tenant_client::edge::{TenantLayer, UsageLayer};
use pg_tenant_client::sqlx::TenantHandle as SqlxTenantHandle;
use pg_tenant_client::{Error, Tenant, TenantHandle, TenantPool};
use pg_tenant_tests::shop::{A, B, shop};
use pg_tenant_tests::{Database, Session};
use reqwest::Method;

use crate::api::{Api, State};

fn said(request: &Parts) -> Result<Option<Tenant>, Error> {
    let tenant = request.headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok());
    Ok(tenant.map(|tenant| tenant.parse().expect("an id")))
}

const NOTE: &str = "update orders set note = coalesce(note, '') || '.'";

async fn plain(tenant: TenantHandle) -> Result<String, Error> {
    tenant.execute(NOTE, &[]).await?;
    // The second transaction is free.
    tenant.run(async |tx| tx.query("select 1", &[]).await).await?;
    Ok("done".to_owned())
}

async fn over_sqlx(tenant: SqlxTenantHandle) -> Result<String, Error> {
    let mut tx = tenant.begin().await?;
    sqlx::query(NOTE).execute(&mut tx).await?;
    tx.commit().await?;
    tenant.execute("select 1").await?;
    Ok("done".to_owned())
}

async fn undone(tenant: TenantHandle) -> Result<String, Error> {
    let mut tx = tenant.begin().await?;
    tx.execute(NOTE, &[]).await?;
    tx.rollback().await?;
    Ok("done".to_owned())
}

async fn again(tenant: TenantHandle) -> Result<String, Error> {
    undone(tenant.clone()).await?;
    plain(tenant).await
}

async fn of_its_own_words(tenant: TenantHandle) -> (StatusCode, &'static str) {
    match tenant.execute(NOTE, &[]).await {
        Ok(_) => (StatusCode::OK, "done"),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "something went wrong"),
    }
}

async fn reads(tenant: TenantHandle) -> Result<String, Error> {
    tenant.read_only(true).query("select 1", &[]).await?;
    Ok("done".to_owned())
}

async fn of_another(Extracted(pool): Extracted<TenantPool>) -> Result<String, Error> {
    pool.tenant(B).execute("select 1", &[]).await?;
    Ok("done".to_owned())
}

async fn metered(name: &str) -> (Database<'static>, Session, Api) {
    let db = shop(name).await;
    let admin = db.admin().await;
    admin.run("select tenant.define_meter('api_calls', 'calls', hard_limit => 4)").await;
    let state = State::new(&db);
    let charged = UsageLayer::new(state.pool.clone(), "api_calls");
    let routes = Router::new()
        .route("/plain", post(plain))
        .route("/sqlx", post(over_sqlx))
        .route("/undone", post(undone))
        .route("/again", post(again))
        .route("/own_words", post(of_its_own_words))
        .route("/reads", get(reads))
        .route("/another", get(of_another))
        .route("/nothing", get(async || "done"))
        .layer(charged.clone());
    let dear = Router::new().route("/dear", get(async || "done")).layer(charged.clone().amount(2.5).first());
    let proven = TenantLayer::new(Directory::new(state.pool.clone()), said);
    let app = routes.merge(dear).layer(proven).merge(Router::new().route("/outside", get(async || "x")).layer(charged));
    (db, admin, Api::serve(app.with_state(state)).await)
}

async fn ask(api: &Api, method: Method, path: &str) -> reqwest::Response {
    let url = format!("{}{path}", api.base);
    reqwest::Client::new().request(method, url).header("x-tenant", A).send().await.expect("an answer")
}

async fn used(admin: &Session, tenant: &str) -> String {
    let sql = format!("select used from tenant.usage_state where tenant_id = '{tenant}'");
    admin.value(&sql).await.expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once() {
    let (db, admin, api) = metered("e_usage").await;
    for (method, path, expected) in [
        (Method::POST, "/plain", "1"),
        (Method::POST, "/sqlx", "2"),
        (Method::POST, "/undone", "2"),
        (Method::POST, "/again", "3"),
        (Method::GET, "/reads", "4"),
    ] {
        let answer = ask(&api, method, path).await;
        assert_eq!(answer.status(), 200, "{path}: {:?}", answer.text().await);
        assert_eq!(used(&admin, A).await, expected, "{path}");
    }
    let notes = format!("set row_security = off; select note from orders where tenant_id = '{A}' and id = 1");
    let before = db.backup().await.value(&notes).await;
    for (method, path) in [
        (Method::POST, "/plain"),
        (Method::POST, "/sqlx"),
        (Method::POST, "/own_words"),
        (Method::GET, "/reads"),
        (Method::GET, "/nothing"),
        (Method::GET, "/another"),
        (Method::GET, "/dear"),
    ] {
        let answer = ask(&api, method, path).await;
        assert_eq!(answer.status(), 429, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().expect("a text").to_owned();
        let wait: u64 = header("retry-after").parse().expect("seconds");
        assert!((1..=31 * 86_400).contains(&wait), "{wait}");
        assert!(header("ratelimit").starts_with("\"api_calls\";r=0;t="), "{path}: {}", header("ratelimit"));
        assert_eq!(header("ratelimit-policy"), "\"api_calls\";q=4");
    }
    assert_eq!(db.backup().await.value(&notes).await, before, "nothing was written");
    assert_eq!((used(&admin, A).await, used(&admin, B).await), ("4".to_owned(), "0".to_owned()));
    let outside = reqwest::get(format!("{}/outside", api.base)).await.expect("an answer");
    assert_eq!(outside.status(), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_begun() {
    let (_db, admin, api) = metered("e_usage_none").await;
    for (path, expected) in [("/nothing", "1"), ("/another", "2")] {
        let answer = ask(&api, Method::GET, path).await;
        assert_eq!((answer.status().as_u16(), used(&admin, A).await.as_str()), (200, expected), "{path}");
        assert_eq!(answer.headers()["ratelimit-policy"], "\"api_calls\";q=4");
    }
    // Before the service is called, and told with every answer.
    admin.run("select tenant.define_meter('api_calls', 'calls', hard_limit => 5)").await;
    let answer = ask(&api, Method::GET, "/dear").await;
    assert!(answer.headers()["ratelimit"].to_str().expect("a text").starts_with("\"api_calls\";r=0;t="), "0.5 is left");
    assert_eq!((answer.status().as_u16(), used(&admin, A).await.as_str()), (200, "4.5"));
    assert_eq!(ask(&api, Method::GET, "/dear").await.status(), 429);
    // A tenant that is read-only goes on reading, and is not charged.
    admin.run(&format!("select tenant.set_read_only('{A}')")).await;
    assert_eq!(ask(&api, Method::GET, "/nothing").await.status(), 200);
    assert_eq!(ask(&api, Method::GET, "/dear").await.status(), 200);
    assert_eq!(used(&admin, A).await, "4.5");
}

/// The call of a transaction, over both drivers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_transaction() {
    let (db, admin, _api) = metered("e_usage_tx").await;
    let state = State::new(&db);
    let mut tx = state.pool.tenant(A).begin().await.expect("a transaction");
    let usage = tx.consume("api_calls", 1.5).await.expect("usage");
    assert_eq!((&*usage.meter, usage.used, usage.limit, usage.remaining), ("api_calls", 1.5, Some(4.0), Some(2.5)));
    assert!(usage.resets_in.is_some());
    tx.commit().await.expect("commit");
    let mut tx = state.sqlx.tenant(A).begin().await.expect("a transaction");
    assert_eq!(tx.consume("api_calls", 2).await.expect("usage").remaining, Some(0.5));
    tx.commit().await.expect("commit");
    let refused = state.pool.tenant(A).run(async |tx| tx.consume("api_calls", 1).await).await.expect_err("over");
    let of_sqlx = state.sqlx.tenant(A).run(async |tx| tx.consume("api_calls", 1).await).await.expect_err("over");
    for error in [refused, of_sqlx] {
        assert!(error.is_over_quota() && !error.is_retryable());
        let usage = error.usage().expect("usage");
        assert_eq!((usage.used, usage.limit, usage.remaining), (3.5, Some(4.0), Some(0.5)));
        assert_eq!(error.retry_after(), usage.resets_in);
        assert_eq!(error.http_status(), 429);
    }
    assert_eq!(used(&admin, A).await, "3.5");
}
