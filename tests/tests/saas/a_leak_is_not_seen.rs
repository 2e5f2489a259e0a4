//! `testing::isolation` finds each planted hole in an API, and none in a healthy one: a small API over a protected and
//! an unprotected table, with one defect at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use pg_tenant_client::{TenantHandle, TenantPool};
use pg_tenant_testing::{Caller, Http, InProcess, Leak, Report, Route, assert_isolated, isolation};
use pg_tenant_tests::{Database, Session};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What is wrong with the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// Reads a table that nobody has protected.
    UnprotectedTable,
    /// Lists with the rights of a superuser.
    TenantForgotten,
    /// Keeps answers under the path alone.
    CacheWithoutTenant,
    /// Says that another's is forbidden, and what does not exist not found.
    OracleByStatus,
    /// Names the owner in the refusal.
    OracleByBody,
    /// Refuses, and has written before.
    WritesBeforeRefusing,
    /// Checks the id in the path, and not the one in the body.
    BodyUnchecked,
    /// Fails for everybody, so that nothing is refused.
    Broken,
    /// Shows nobody anything.
    EmptyLists,
}

#[derive(Clone)]
struct Api {
    pool: TenantPool,
    all_powerful: Arc<Session>,
    cache: Arc<Mutex<HashMap<String, Value>>>,
    defect: Defect,
}

impl Api {
    /// The test's stand-in for a layer: the header names the tenant.
    fn of(&self, headers: &HeaderMap) -> TenantHandle {
        self.pool.tenant(headers["x-tenant"].to_str().expect("a tenant"))
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn table(&self) -> &'static str {
        if self.is(Defect::UnprotectedTable) { "bare_notes" } else { "notes" }
    }
}

fn refusal(status: StatusCode, says: &str) -> Response {
    (status, Json(json!({"error": says}))).into_response()
}

async fn list(State(api): State<Api>, headers: HeaderMap) -> Response {
    let sql = "select id, text from notes order by id";
    if api.is(Defect::CacheWithoutTenant)
        && let Some(kept) = api.cache.lock().unwrap().get("/notes")
    {
        return Json(kept.clone()).into_response();
    }
    let rows = match api.defect {
        Defect::TenantForgotten => api.all_powerful.query(sql, &[]).await.expect("rows"),
        Defect::EmptyLists => Vec::new(),
        _ => api.of(&headers).query(sql, &[]).await.expect("rows"),
    };
    let notes = rows.iter().map(|row| json!({"id": row.get::<_, i64>(0), "text": row.get::<_, String>(1)}));
    let notes = Value::Array(notes.collect());
    api.cache.lock().unwrap().insert("/notes".into(), notes.clone());
    Json(notes).into_response()
}

async fn read(State(api): State<Api>, headers: HeaderMap, Path(id): Path<i64>) -> Response {
    if api.is(Defect::Broken) {
        return refusal(StatusCode::NOT_FOUND, "not found");
    }
    let sql = format!("select id, text from {} where id = $1", api.table());
    match api.of(&headers).query_opt(&sql, &[&id]).await.expect("a row") {
        Some(row) => Json(json!({"id": row.get::<_, i64>(0), "text": row.get::<_, String>(1)})).into_response(),
        None => refused(&api, id).await,
    }
}

async fn refused(api: &Api, id: i64) -> Response {
    let owner = api.all_powerful.query_opt("select tenant_id from notes where id = $1", &[&id]).await.expect("a row");
    match (api.defect, owner) {
        (Defect::OracleByStatus, Some(_)) => refusal(StatusCode::FORBIDDEN, "not yours"),
        (Defect::OracleByBody, Some(row)) => refusal(StatusCode::NOT_FOUND, &format!("{}'s", row.get::<_, String>(0))),
        _ => refusal(StatusCode::NOT_FOUND, "not found"),
    }
}

async fn change(State(api): State<Api>, headers: HeaderMap, Path(id): Path<i64>) -> Response {
    if api.is(Defect::WritesBeforeRefusing) {
        let sql = "update notes set text = text || '!' where id = $1";
        api.all_powerful.execute(sql, &[&id]).await.expect("written");
    }
    match api.of(&headers).execute("update notes set text = text || '.' where id = $1", &[&id]).await.expect("written")
    {
        0 => refused(&api, id).await,
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Copies one note's text to another: an id in the path, one in the body.
async fn copy(State(api): State<Api>, headers: HeaderMap, Path(id): Path<i64>, Json(body): Json<Value>) -> Response {
    let from = body["from"].as_i64().expect("an id");
    let source = "select text from notes where id = $1";
    let row = match api.defect {
        Defect::BodyUnchecked => api.all_powerful.query_opt(source, &[&from]).await.expect("a row"),
        _ => api.of(&headers).query_opt(source, &[&from]).await.expect("a row"),
    };
    let Some(row) = row else { return refused(&api, from).await };
    let sql = "update notes set text = left(text || $2, 80) where id = $1";
    match api.of(&headers).execute(sql, &[&id, &row.get::<_, String>(0)]).await.expect("written") {
        0 => refused(&api, id).await,
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

fn router(api: Api) -> Router {
    Router::new()
        .route("/notes", get(list))
        .route("/notes/{id}", get(read))
        .route("/notes/{id}/change", put(change))
        .route("/notes/{id}/copy", post(copy))
        .with_state(api)
}

/// Ids of both tables run over both tenants: acme has 1 and 2, globex 3 and 4.
async fn world(name: &str) -> Database<'static> {
    let db = pg_tenant_tests::database(name).await;
    db.admin().await.run("select tenant.create('acme'), tenant.create('globex')").await;
    let tables = ["notes", "bare_notes"].map(|table| {
        format!(
            "create table {table} (tenant_id text not null, id bigint primary key, text text not null);
             insert into {table} select tenant, n, 'secret of ' || tenant
                from (values ('acme', 1), ('acme', 2), ('globex', 3), ('globex', 4)) t (tenant, n);"
        )
    });
    db.owner().await.run(&tables.concat()).await;
    db.superuser().await.run("select tenant.protect('notes')").await;
    db
}

async fn api(db: &Database<'_>, defect: Defect) -> Router {
    let pool = TenantPool::builder(db.config(&db.roles.app)).max_size(2).build().expect("a pool");
    router(Api { pool, all_powerful: Arc::new(db.superuser().await), cache: Arc::default(), defect })
}

fn callers() -> [Caller; 2] {
    [("acme", 1, 2), ("globex", 3, 4)].map(|(name, id, from)| {
        Caller::new(name).header("x-tenant", name).id("id", id).id("from", from).marker(format!("secret of {name}"))
    })
}

fn routes() -> [Route; 4] {
    [
        Route::get("/notes"),
        Route::get("/notes/{id}"),
        Route::put("/notes/{id}/change"),
        Route::post("/notes/{id}/copy").json(r#"{"from": {from}}"#),
    ]
}

async fn report(defect: Defect) -> Report {
    let db = world("planted").await;
    let [acme, globex] = callers();
    isolation(InProcess(api(&db, defect).await), [&acme, &globex], &routes()).await
}

/// Some finding is of this kind on this route, and the report says so.
fn seen(report: &Report, route: &str, leak: impl Fn(&Leak) -> bool) {
    let found = report.findings().iter().any(|finding| finding.route == route && leak(&finding.leak));
    assert!(found && !report.is_isolated() && report.to_string().contains(route), "{route}: {report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_none() {
    let clean = report(Defect::None).await;
    assert!(clean.is_isolated(), "{clean}");
    assert!(clean.calls() > 40, "{clean}");
    // The same over the network.
    let db = world("planted_tcp").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = api(&db, Defect::None).await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    let [acme, globex] = callers();
    assert_isolated(Http::at(base), [&acme, &globex], &routes()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_what_is_read() {
    let bare = report(Defect::UnprotectedTable).await;
    seen(&bare, "GET /notes/{id}", |leak| matches!(leak, Leak::NotRefused { status: StatusCode::OK, .. }));
    seen(&bare, "GET /notes/{id}", |leak| matches!(leak, Leak::Disclosed { what } if what.contains("secret of")));
    seen(&report(Defect::TenantForgotten).await, "GET /notes", |leak| matches!(leak, Leak::Disclosed { .. }));
    seen(&report(Defect::CacheWithoutTenant).await, "GET /notes", |leak| matches!(leak, Leak::Disclosed { .. }));
}

/// The folder is looked at, and what is in it is everybody's.
async fn notes_of_a_folder(headers: HeaderMap, Path(folder): Path<i64>) -> Response {
    let own = if headers["x-tenant"] == "acme" { 1 } else { 3 };
    if folder != own {
        return refusal(StatusCode::NOT_FOUND, "not found");
    }
    Json(json!([{"id": 2}, {"id": 4}])).into_response()
}

#[tokio::test]
async fn in_a_list_below_an_id() {
    let [acme, globex] = [("acme", 1, 2), ("globex", 3, 4)]
        .map(|(name, folder, note)| Caller::new(name).header("x-tenant", name).id("folder", folder).id("note", note));
    let app = Router::new().route("/folders/{folder}/notes", get(notes_of_a_folder));
    let routes = [Route::get("/folders/{folder}/notes")];
    let report = isolation(InProcess(app), [&acme, &globex], &routes).await;
    seen(
        &report,
        "GET /folders/{folder}/notes",
        |leak| matches!(leak, Leak::Disclosed { what } if what.contains("note")),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_how_it_is_refused() {
    let by_status = report(Defect::OracleByStatus).await;
    seen(&by_status, "GET /notes/{id}", |leak| matches!(leak, Leak::NotRefused { status: StatusCode::FORBIDDEN, .. }));
    seen(&by_status, "GET /notes/{id}", |leak| matches!(leak, Leak::Distinguishable { .. }));
    let by_body = report(Defect::OracleByBody).await;
    seen(
        &by_body,
        "GET /notes/{id}",
        |leak| matches!(leak, Leak::Distinguishable { difference, .. } if difference.contains("acme")),
    );
    assert!(by_body.findings().iter().all(|finding| !matches!(finding.leak, Leak::NotRefused { .. })), "{by_body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_what_is_written() {
    let written = report(Defect::WritesBeforeRefusing).await;
    seen(
        &written,
        "PUT /notes/{id}/change",
        |leak| matches!(leak, Leak::Changed { seen, .. } if seen == "GET /notes/{id}"),
    );
    let unchecked = report(Defect::BodyUnchecked).await;
    let body_alone = |leak: &Leak| matches!(leak, Leak::NotRefused { ids, .. } if ids == &["from"]);
    seen(&unchecked, "POST /notes/{id}/copy", body_alone);
}

/// What proves nothing does not pass either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn because_nothing_was_tried() {
    seen(&report(Defect::Broken).await, "GET /notes/{id}", |leak| matches!(leak, Leak::OwnRequestFailed { .. }));
    seen(&report(Defect::EmptyLists).await, "GET /notes", |leak| matches!(leak, Leak::OwnMissing));

    let db = world("planted_vacuous").await;
    let service = InProcess(api(&db, Defect::None).await);
    let [acme, globex] = callers();
    let lists = isolation(service.clone(), [&acme, &globex], &[Route::get("/notes")]).await;
    assert!(lists.findings().is_empty() && !lists.is_isolated() && lists.to_string().contains("proves nothing"));
    let same = isolation(service.clone(), [&acme, &globex.clone().id("id", 1)], &routes()).await;
    seen(&same, "GET /notes/{id}", |leak| matches!(leak, Leak::NotCallable(why) if why.contains("same")));
    let missing = isolation(service, [&acme, &globex], &[Route::get("/notes/{note}")]).await;
    seen(&missing, "GET /notes/{note}", |leak| matches!(leak, Leak::NotCallable(why) if why.contains("{note}")));
    let nobody = isolation(Http::at("http://127.0.0.1:1"), [&acme, &globex], &routes()).await;
    seen(&nobody, "GET /notes", |leak| matches!(leak, Leak::NotCallable(why) if why.contains("cannot be called")));

    let panicked = tokio::spawn(async move {
        assert_isolated(Http::at("http://127.0.0.1:1"), [&acme, &globex], &routes()).await;
    });
    assert!(panicked.await.unwrap_err().is_panic());
}
