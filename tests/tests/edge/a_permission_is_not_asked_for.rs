//! A request whose actor may not do what a route requires is answered so, and the route does not run.

use axum::Router;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::get;
use pg_tenant_client::directory::Directory;
use pg_tenant_client::edge::{Denied, RequireLayer, TenantLayer};
use pg_tenant_client::{Error, Tenant};
use pg_tenant_tests::shop::{A, B, shop};

use crate::api::{Api, State, answer};

/// Who asks, as an outer layer has found out: `<tenant> <actor>`.
fn said(request: &Parts) -> Result<Option<Tenant>, Error> {
    let Some(who) = request.headers.get("x-who").and_then(|who| who.to_str().ok()) else { return Ok(None) };
    let (tenant, actor) = who.split_once(' ').unwrap_or((who, ""));
    let tenant: Tenant = tenant.parse().expect("an id");
    Ok(Some(if actor.is_empty() { tenant } else { tenant.with_actor(actor) }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_who_may_not() {
    let db = shop("e_require").await;
    let admin = db.admin().await;
    admin
        .run(&format!(
            "select tenant.define_role('clerk', 1), tenant.define_role('owner', 9, array['invoice.write']);
             select tenant.add_member('{A}', 'ann', 'owner'), tenant.add_member('{A}', 'bob', 'clerk'),
                tenant.add_member('{B}', 'bob', 'owner'), tenant.add_member('{B}', 'zoe', 'owner')"
        ))
        .await;
    let state = State::new(&db);
    let guard = RequireLayer::new(state.pool.clone(), "invoice.write");
    let hidden = guard.clone().status(Denied::NotPermitted, StatusCode::NOT_FOUND);
    let unheard_of = RequireLayer::new(state.pool.clone(), "invoice.wirte");
    let layer = TenantLayer::new(Directory::new(state.pool.clone()), said);
    let route = |path: &str, guard: RequireLayer| Router::new().route(path, get(async || "written")).layer(guard);
    let proven = route("/invoices", guard.clone()).merge(route("/hidden", hidden)).merge(route("/typo", unheard_of));
    let api = Api::serve(proven.layer(layer).merge(route("/outside", guard))).await;
    let who = |path: &str, tenant: &str, actor: &str| api.get(path).header("x-who", format!("{tenant} {actor}"));
    for (request, status) in [
        (who("/invoices", A, "ann"), 200),
        (who("/invoices", B, "bob"), 200),
        (who("/invoices", A, "bob"), 403),
        (who("/hidden", A, "bob"), 404),
        (who("/invoices", B, "ann"), 404),
        (who("/invoices", A, "eve"), 404),
        (who("/invoices", A, ""), 404),
        (who("/typo", A, "ann"), 503),
        (api.get("/invoices"), 400),
        (api.get("/outside").header("x-who", format!("{A} ann")), 401),
    ] {
        let (found, body) = answer(request).await;
        assert_eq!(found.as_u16(), status, "{body}");
        assert_eq!(body == "written", status == 200, "{body}");
    }
    // From the next request on.
    admin
        .run(&format!("select tenant.set_member_role('{A}', 'bob', 'owner'), tenant.deactivate_member('{B}', 'bob')"))
        .await;
    assert_eq!(answer(who("/invoices", A, "bob")).await.0, 200);
    assert_eq!(answer(who("/invoices", B, "bob")).await.0, 404);
    admin.run(&format!("select tenant.suspend('{A}')")).await;
    assert!(answer(who("/invoices", A, "ann")).await.0.is_client_error());
}
