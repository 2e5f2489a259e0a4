//! A small SaaS: members of a tenant sign in, and keep projects and tasks; operators look across tenants.
//!
//! ```text
//!  POST /sign-in  ──► directory: which tenant is this slug? ──► its member with this key? ──► a token, for 15 minutes
//!  /projects …    ──► TenantLayer: the token, and the header x-tenant if it is there ──► handler(db: TxBuilder)
//!  /admin/…       ──► a token of an operator's ──► danger::system(reason)
//! ```
//!
//! No handler names a tenant: each gets a `TxBuilder` that is inside the one that the request has proven.
//!
//! Once: `psql -f client/examples/axum_saas/schema.sql`. Then, with a secret of at least 32 bytes in `SAAS_SECRET`:
//! `cargo run --features axum,sign --example axum_saas -- "host=… user=app dbname=shop" "host=… user=operator dbname=shop"`

mod admin;
mod error;
mod projects;
mod sign_in;
mod state;
mod tasks;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, StatusCode};
use axum::routing::{delete, get, post};
use pg_tenant_client::edge::{Denied, Source, TenantLayer};

use crate::state::{State, members};

fn app(state: &State) -> Router {
    let tenant = TenantLayer::new(state.directory.clone(), members(&state.jwks))
        .source(Source::header(HeaderName::from_static("x-tenant")))
        // Who is not signed in is told so; which other tenants there are is nobody's business.
        .status(Denied::NoTenant, StatusCode::UNAUTHORIZED)
        .status(Denied::Mismatch, StatusCode::NOT_FOUND);
    let of_a_tenant = Router::new()
        .route("/me", get(sign_in::me))
        .route("/projects", get(projects::list).post(projects::create))
        .route("/projects/{project}", get(projects::read).put(projects::rename).delete(projects::remove))
        .route("/projects/{project}/tasks", get(tasks::list).post(tasks::create))
        .route("/tasks", get(tasks::search))
        .route("/tasks/{task}", get(tasks::read).patch(tasks::change).delete(tasks::remove))
        .layer(tenant);
    let of_operators =
        Router::new().route("/admin/usage", get(admin::usage)).route("/admin/tasks/done", delete(admin::remove_done));
    Router::new()
        .route("/sign-in", post(sign_in::sign_in))
        .merge(of_a_tenant)
        .merge(of_operators)
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(state.clone())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut config = |user| args.next().unwrap_or_else(|| format!("host=localhost user={user} dbname=shop"));
    let (application, operator) = (config("app"), config("operator"));
    let secret = std::env::var("SAAS_SECRET").map_err(|_| "SAAS_SECRET: a secret of at least 32 bytes")?;

    let state = State::new(&application, &operator, secret.as_bytes())?;
    state.pool.check().await?;
    // Hears of suspensions and new slugs at once; without it they show after a while.
    let _listener = state.directory.listen(application.parse()?);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app(&state)).await?;
    Ok(())
}
