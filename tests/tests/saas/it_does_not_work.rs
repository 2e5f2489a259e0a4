//! The example does what it says: sign-in, a tenant's work, the operators' view.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::example::{Example, answer};

const ANN: &str = "ann@example.com";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_sign_in_to_the_operators_view() {
    let saas = Example::start("saas_work").await;
    let [acme, globex] = saas.tokens().await;
    sign_in(&saas, &acme).await;
    let project = work(&saas, &acme).await;
    members_and_owners(&saas, project).await;
    operators(&saas, &acme, &globex).await;
    suspension(&saas, &acme).await;
}

async fn sign_in(saas: &Example, acme: &str) {
    let me = saas.call(acme, Method::GET, "/me", None).await;
    assert_eq!(me, (StatusCode::OK, json!({"tenant": "acme-inc", "plan": "gold", "email": ANN, "role": "owner"})));
    let refused = saas.sign_in("acme-inc", ANN, "key of globex's ann").await;
    assert_eq!(refused.0, 401);
    for (tenant, email, key) in [
        ("globex", ANN, "key of acme's ann"),
        ("acme", ANN, "key of acme's ann"),
        ("nobody", ANN, "key of acme's ann"),
        ("asleep", ANN, "key of asleep's ann"),
        ("acme-inc", "eve@example.com", "key of acme's ann"),
        ("acme-inc", ANN, ""),
    ] {
        assert_eq!(saas.sign_in(tenant, email, key).await, refused, "{tenant} {email}: why is not said");
    }

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = |audience: &str, tenant: &str, exp: u64| json!({"tenant_id": tenant, "aud": audience, "exp": exp});
    for (token, status) in [
        (saas.signed(claims("members", "acme", now + 600)), 200),
        (saas.signed(claims("members", "acme", now - 60)), 401),
        (saas.signed(claims("operators", "acme", now + 600)), 401),
        (saas.signed(claims("members", "asleep", now + 600)), 423),
        (saas.signed(claims("members", "nobody", now + 600)), 404),
        (format!("{acme}x"), 401),
    ] {
        assert_eq!(saas.call(&token, Method::GET, "/projects", None).await.0, status);
    }
    let get = |path| saas.request(Method::GET, path);
    assert_eq!(answer(get("/projects")).await.0, 401);
    assert_eq!(answer(get("/projects").header("x-tenant", "acme-inc")).await.0, 401);
    assert_eq!(answer(get("/projects").bearer_auth(acme).header("x-tenant", "acme-inc")).await.0, 200);
    assert_eq!(answer(get("/projects").bearer_auth(acme).header("x-tenant", "globex")).await.0, 404);
}

async fn work(saas: &Example, acme: &str) -> i64 {
    let made = saas.call(acme, Method::POST, "/projects", Some(json!({"name": "Website"}))).await;
    assert_eq!(made.0, 201);
    let project = made.1["id"].as_i64().unwrap();
    let twice = saas.call(acme, Method::POST, "/projects", Some(json!({"name": "Website"}))).await;
    assert_eq!(twice.0, 409);
    let unkept = saas.call(acme, Method::POST, "/projects", Some(json!({"name": "Web\0site"}))).await;
    assert_eq!(unkept.0, 400);
    let renamed = saas.call(acme, Method::PUT, &format!("/projects/{project}"), Some(json!({"name": "Site"}))).await;
    assert_eq!(renamed, (StatusCode::OK, json!({"id": project, "name": "Site"})));
    assert_eq!(saas.call(acme, Method::GET, "/projects", None).await.1, json!([{"id": project, "name": "Site"}]));

    let tasks = format!("/projects/{project}/tasks");
    assert_eq!(saas.call(acme, Method::GET, &tasks, None).await, (StatusCode::OK, json!([])), "empty, and there");
    let (status, task) = saas.call(acme, Method::POST, &tasks, Some(json!({"title": "Logo"}))).await;
    assert_eq!(status, 201);
    let one = format!("/tasks/{}", task["id"]);
    let done = saas.call(acme, Method::PATCH, &one, Some(json!({"done": true}))).await.1;
    assert_eq!(done, json!({"id": task["id"], "project": project, "title": "Logo", "done": true}));
    assert_eq!(saas.call(acme, Method::GET, "/tasks?q=LOG", None).await.1, json!([done]));
    assert_eq!(saas.call(acme, Method::GET, "/tasks?q=none", None).await.1, json!([]));
    assert_eq!(saas.call(acme, Method::GET, &one, None).await.1, done);
    // Two searches were counted, and a third is one too many.
    saas.superuser.run("select tenant.set_quota('acme', 'searches', 2)").await;
    assert_eq!(saas.call(acme, Method::GET, "/tasks?q=LOG", None).await.0, 429);
    saas.superuser.run("select tenant.clear_quota('acme', 'searches')").await;
    let second = saas.call(acme, Method::POST, &tasks, Some(json!({"title": "Text"}))).await.1;
    assert_eq!(saas.call(acme, Method::DELETE, &format!("/tasks/{}", second["id"]), None).await.0, 204);
    assert_eq!(saas.call(acme, Method::DELETE, &format!("/tasks/{}", second["id"]), None).await.0, 404);
    project
}

async fn members_and_owners(saas: &Example, project: i64) {
    let bob = saas.token("acme-inc", "bob@example.com", "key of acme's bob").await;
    let remove = |id: i64| format!("/projects/{id}");
    assert_eq!(saas.call(&bob, Method::GET, &remove(project), None).await.0, 200);
    assert_eq!(saas.call(&bob, Method::DELETE, &remove(project), None).await.0, 403);
    assert_eq!(saas.call(&bob, Method::DELETE, &remove(i64::MAX), None).await.0, 403, "before anything is looked for");
}

async fn operators(saas: &Example, acme: &str, globex: &str) {
    let made = saas.call(globex, Method::POST, "/projects", Some(json!({"name": "Website"}))).await;
    assert_eq!(made.0, 201, "two tenants may have projects of one name");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let operator = json!({"tenant_id": "operators", "sub": "olga", "aud": "operators", "exp": now + 600});
    let operator = saas.signed(operator);
    let usage = "/admin/usage?reason=monthly%20report";
    assert_eq!(saas.call(acme, Method::GET, usage, None).await.0, 401, "an owner is no operator");
    assert_eq!(saas.call(&operator, Method::GET, "/projects", None).await.0, 401, "nor an operator a member");
    let seen = saas.call(&operator, Method::GET, usage, None).await;
    let row = |tenant: &str, tasks: i32| json!({"tenant": tenant, "projects": 1, "tasks": tasks});
    assert_eq!(seen, (StatusCode::OK, json!([row("acme", 1), row("asleep", 0), row("globex", 0)])));
    assert_eq!(
        saas.call(&operator, Method::GET, "/admin/usage?reason=%20", None).await.0,
        400,
        "a reason is asked for"
    );

    let done = "/admin/tasks/done?reason=ticket%207";
    assert_eq!(saas.call(&operator, Method::DELETE, done, None).await.0, 403);
    let confirmed = saas.request(Method::DELETE, done).bearer_auth(&operator).header("x-confirm", "all tenants");
    assert_eq!(answer(confirmed).await, (StatusCode::OK, Value::from(1)));
    let journal = "select string_agg(reason, ', ' order by id) from tenant.journal where reason like 'olga: %'";
    assert_eq!(saas.superuser.value(journal).await.as_deref(), Some("olga: monthly report, olga: ticket 7"));
}

/// Noticed at once, though a token lives on.
async fn suspension(saas: &Example, acme: &str) {
    saas.superuser.run("select tenant.suspend('acme')").await;
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(60) {
        let (status, _) = saas.call(acme, Method::GET, "/projects", None).await;
        if status == 423 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a suspended tenant still works");
}
