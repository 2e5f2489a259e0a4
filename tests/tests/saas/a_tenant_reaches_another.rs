//! No route of the example that takes an id gives a tenant something of another: each is called by each tenant with the
//! other's ids.

use pg_tenant_testing::{Caller, Http, Route, assert_isolated};
use reqwest::Method;
use serde_json::json;

use crate::example::Example;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_an_id() {
    let saas = Example::start("saas_ids").await;
    let [acme, globex] = saas.tokens().await;
    let mut callers = Vec::new();
    for (name, slug, token) in [("acme", "acme-inc", &acme), ("globex", "globex", &globex)] {
        // Both have a project and a task of the same names, and each something that names it.
        let mut ids = Vec::new();
        for project in ["Website", "Scratch"] {
            let (status, made) = saas.call(token, Method::POST, "/projects", Some(json!({"name": project}))).await;
            assert_eq!(status, 201, "{made}");
            let tasks = format!("/projects/{}/tasks", made["id"]);
            for title in ["Logo".to_owned(), format!("secret of {name}")] {
                ids.push(made["id"].to_string());
                let (status, made) = saas.call(token, Method::POST, &tasks, Some(json!({"title": title}))).await;
                assert_eq!(status, 201, "{made}");
                ids.push(made["id"].to_string());
            }
        }
        let caller = Caller::new(name).bearer(token).header("x-tenant", slug).marker(format!("secret of {name}"));
        callers.push(caller.id("project", &ids[0]).id("task", &ids[1]).id("doomed", &ids[4]).id("spare", &ids[5]));
    }
    let routes = [
        Route::get("/projects"),
        Route::get("/tasks?q=secret"),
        Route::get("/projects/{project}"),
        Route::get("/projects/{project}/tasks"),
        Route::get("/projects/{project}/contact"),
        Route::put("/projects/{project}/contact").json(r#"{"contact": "eve@example.com"}"#),
        Route::get("/tasks/{task}"),
        Route::put("/projects/{project}").json(r#"{"name": "Website 2"}"#),
        Route::post("/projects/{project}/tasks").json(r#"{"title": "planted"}"#),
        Route::patch("/tasks/{task}").json(r#"{"done": true}"#),
        Route::patch("/tasks/{task}").json(r#"{"project": {project}}"#),
        Route::delete("/tasks/{spare}"),
        Route::delete("/projects/{doomed}"),
    ];
    assert_isolated(Http::at(&saas.base), [&callers[0], &callers[1]], &routes).await;

    // Asked around the API: nothing of either tenant is in the other.
    let strays =
        "select (select count(*) from tasks t join projects p on p.id = t.project where p.tenant_id <> t.tenant_id)
        + (select count(*) from tasks where title like 'secret of %' and title <> 'secret of ' || tenant_id)";
    assert_eq!(saas.superuser.value(strays).await.as_deref(), Some("0"));
    // The list above is the whole of it.
    let main = include_str!("../../../client/examples/axum_saas/main.rs");
    assert_eq!(main.matches("{project}").count() + main.matches("{task}").count(), 4, "a route is new: put it above");
}
