//! An API over real HTTP: axum on a port of its own, behind a `TenantLayer`, with a real database behind it.

use axum::extract::FromRef;
use axum::routing::get;
use axum::{Json, Router};
use pg_tenant_client::directory::Directory;
use pg_tenant_client::edge::{CurrentTenantRecord, TenantLayer};
use pg_tenant_client::sqlx::{TenantHandle as SqlxTenantHandle, TenantPool as SqlxPool};
use pg_tenant_client::{Error, Tenant, TenantHandle, TenantPool, TokenVerifier, ambient};
use pg_tenant_tests::Database;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::signed::{SECRET, secret_jwk, set};

#[derive(Clone, FromRef)]
pub struct State {
    pub pool: TenantPool,
    pub sqlx: SqlxPool,
}

impl State {
    pub fn new(db: &Database<'_>) -> State {
        let pool = TenantPool::builder(db.config(&db.roles.app)).max_size(4).build().expect("a pool");
        State { pool, sqlx: SqlxPool::new(Default::default(), db.url(&db.roles.app).parse().expect("a URL")) }
    }

    pub fn layer(&self) -> TenantLayer {
        TenantLayer::new(Directory::new(self.pool.clone()), verifier())
    }
}

pub fn verifier() -> TokenVerifier {
    TokenVerifier::new(set(&[&secret_jwk("hs", SECRET)]).as_bytes()).expect("keys")
}

/// A server that runs as long as its runtime.
pub struct Api {
    pub base: String,
    http: reqwest::Client,
}

impl Api {
    pub async fn serve(app: Router) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Api { base, http: reqwest::Client::new() }
    }

    /// `/who` says whom the handler works for; the same below `/t/{tenant}`; `/ambient` finds it out by itself.
    pub async fn of(state: State, layer: TenantLayer) -> Api {
        let routes = || Router::new().route("/who", get(who)).route("/ambient", get(of_the_task)).layer(layer.clone());
        let app = Router::new().merge(routes()).nest("/t/{tenant}", routes()).route("/outside", get(who));
        Api::serve(app.with_state(state)).await
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.request(Method::GET, format!("{}{path}", self.base))
    }
}

pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let body = response.text().await.expect("a body");
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

const COUNT: &str = "select count(*) from orders";

async fn who(
    tenant: Tenant,
    record: CurrentTenantRecord,
    plain: TenantHandle,
    sqlx: SqlxTenantHandle,
) -> Result<Json<Value>, Error> {
    let orders: i64 = plain.query_one(COUNT, &[]).await?.get(0);
    let again: i64 = sqlx::Row::get(&sqlx.query_one(COUNT).await?, 0);
    assert_eq!(orders, again);
    Ok(Json(json!({
        "id": tenant.id().as_str(), "actor": tenant.actor(), "role": tenant.role(), "slug": record.slug, "orders": orders,
    })))
}

async fn of_the_task(
    tenant: Option<Tenant>,
    axum::extract::State(pool): axum::extract::State<TenantPool>,
) -> Result<String, Error> {
    assert!(tenant.is_some());
    let id = ambient::spawn(async { ambient::current().map(|tenant| tenant.id().to_string()) })?;
    let orders: i64 = pool.current().query_one(COUNT, &[]).await?.get(0);
    Ok(format!("{} {orders}", id.await.expect("the task")?))
}
