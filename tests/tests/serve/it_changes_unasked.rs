//! The page changes nothing unless it was started so, and then only what its own forms ask for.

use reqwest::{Method, StatusCode};

use super::world::{FORM, Served, world};

const ACTIONS: [&str; 6] = ["/suspend", "/resume", "/read-only", "/limit", "/limits", "/retry"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_option() {
    let db = world("unasked").await;
    let served = Served::start(&db.url(&db.roles.admin), &[]);
    let opened = served.get("/tenant?id=acme").await;
    assert!(!opened.body.contains("method=\"post\""), "{}", opened.body);
    for action in ACTIONS {
        let headers = [("cookie", &*opened.cookie()), ("origin", &*served.base), FORM];
        let page = served.send(Method::POST, action, &headers, "form=00&id=acme&reason=because").await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{action}");
    }
    let status = "select status from tenant.tenants where id = 'acme'";
    assert_eq!(db.admin().await.value(status).await.as_deref(), Some("active"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_another_site() {
    let db = world("csrf").await;
    let served = Served::start(&db.url(&db.roles.admin), &["--allow-actions"]);
    let (opened, other) = (served.get("/tenant?id=acme").await, served.get("/tenant?id=acme").await);
    let (own, base) = (opened.cookie(), served.base.clone());
    let (own, base) = (own.as_str(), base.as_str());
    let good = format!("form={}&id=acme&reason=because", opened.form_token());
    let bare = "id=acme&reason=because".to_owned();
    let others = format!("form={}&id=acme&reason=because", other.form_token());
    let evil = "http://evil.example";
    let wrong = [
        ("no cookie", vec![("origin", base)], &good),
        ("no token", vec![("origin", base), ("cookie", own)], &bare),
        ("another visitor's token", vec![("origin", base), ("cookie", own)], &others),
        ("another visitor's cookie", vec![("origin", base), ("cookie", "pgtenant=00.guest.00")], &good),
        ("another site", vec![("origin", evil), ("cookie", own)], &good),
        ("a frame without an origin", vec![("origin", "null"), ("cookie", own)], &good),
        ("no origin", vec![("cookie", own)], &good),
    ];
    let admin = db.admin().await;
    for action in ACTIONS {
        for (why, headers, body) in &wrong {
            let headers: Vec<_> = headers.iter().copied().chain([FORM]).collect();
            let page = served.send(Method::POST, action, &headers, body).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{action}, {why}: {}", page.body);
        }
        assert_eq!(served.get(action).await.status, StatusCode::METHOD_NOT_ALLOWED, "{action}");
    }
    assert_eq!(admin.value("select status from tenant.tenants where id = 'acme'").await.as_deref(), Some("active"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_own_forms_do() {
    let db = world("actions").await;
    let served = Served::start(&db.url(&db.roles.admin), &["--allow-actions"]);
    let admin = db.admin().await;
    let opened = served.get("/tenant?id=acme").await;
    let steps = [("/suspend", "suspended"), ("/resume", "active"), ("/read-only", "read_only")];
    for (action, status) in steps {
        let page = served.post(action, &opened, "id=acme&reason=a+bad+night").await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{action}: {}", page.body);
        let now = admin.value("select status from tenant.tenants where id = 'acme'").await;
        assert_eq!(now.as_deref(), Some(status), "{action}");
    }
    let told = "select count(*)::text from tenant.journal where object = 'acme' and reason = 'a bad night'";
    assert_eq!(admin.value(told).await.as_deref(), Some("3"));
    let limits = "id=acme&reason=heavy+scans&statement_timeout_ms=5000&work_mem_kb=&lock_timeout_ms=&idle_ms=";
    assert_eq!(served.post("/limits", &opened, limits).await.status, StatusCode::SEE_OTHER);
    let limit = "select statement_timeout_ms::text from tenant.tenants where id = 'acme'";
    assert_eq!(admin.value(limit).await.as_deref(), Some("5000"));
    let told = "select count(*)::text from tenant.journal where object = 'acme' and reason = 'heavy scans'";
    assert_eq!(admin.value(told).await.as_deref(), Some("1"));
    let shared = "id=acme&reason=heavy+scans&name=concurrent_transactions&hard=8&soft=5&burst=";
    assert_eq!(served.post("/limit", &opened, shared).await.status, StatusCode::SEE_OTHER);
    let limit =
        "select string_agg(concat_ws(' ', hard, soft, source), '') from tenant.limit_state where tenant_id = 'acme'";
    assert_eq!(admin.value(limit).await.as_deref(), Some("8 5 tenant"));
    let none = "id=acme&reason=quiet+now&name=concurrent_transactions&hard=&soft=&burst=";
    assert_eq!(served.post("/limit", &opened, none).await.status, StatusCode::SEE_OTHER);
    assert_eq!(admin.value(limit).await, None);
    let wrong = served.post("/limit", &opened, "id=acme&reason=because&name=nothing&hard=8&soft=&burst=").await;
    assert!(wrong.status == StatusCode::CONFLICT && wrong.body.contains("TN051"), "{}", wrong.body);
    let job = admin.value("select id::text from tenant.dead_jobs").await.expect("one is dead");
    assert_eq!(served.post("/retry", &opened, &format!("id={job}&reason=mended")).await.status, StatusCode::SEE_OTHER);
    assert_eq!(admin.value("select count(*)::text from tenant.dead_jobs").await.as_deref(), Some("0"));
    // Said no to, by the server and before.
    let page = served.post("/suspend", &opened, "id=nobody&reason=because").await;
    assert!(page.status == StatusCode::CONFLICT && page.body.contains("TN002"), "{}", page.body);
    assert_eq!(served.post("/limits", &opened, "id=acme&reason=+").await.status, StatusCode::BAD_REQUEST);
    let page = served.get("/tenant?id=acme&said=limits").await;
    assert!(page.body.contains("Its limits are set."), "{}", page.body);
}
