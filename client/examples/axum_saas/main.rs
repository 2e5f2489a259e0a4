//! A small SaaS: members of a tenant sign in, and keep projects and tasks; operators look across tenants.
//!
//! ```text
//!  POST /sign-up  ──► a tenant, set up in steps: its first owner, and a job: the mail that the worker sends
//!  POST /sign-in  ──► directory: which tenant is this slug? ──► its member with this key? ──► a token, for 15 minutes
//!  /projects …    ──► TenantLayer: the token, and the header x-tenant if it is there ──► handler(db: TenantHandle)
//!  …/contact      ──► sealed with a key of the tenant's: no backup shows it
//!  /webhooks/…    ──► what the payment provider says: plan and state of a tenant follow from it
//!  /admin/…       ──► a token of an operator's ──► danger::system(reason)
//!  every night    ──► danger::reporting(reason): what each tenant has, counted on a replica where there is one
//! ```
//!
//! No handler names a tenant: each gets a `TenantHandle` that is inside the one that the request has proven.
//!
//! Once: `psql -f client/examples/axum_saas/schema.sql`. Then, with what `config.rs` reads from the environment: `cargo
//! run --features axum,sign,metrics,onboarding,jobs,keys,billing --example axum_saas`. SIGTERM and Ctrl-C end it when
//! requests and worker are done.

mod admin;
mod billing;
mod config;
mod contacts;
mod error;
mod metrics;
mod projects;
mod roll_up;
mod sign_in;
mod sign_up;
mod state;
mod tasks;
mod worker;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, StatusCode};
use axum::routing::{delete, get, post};
use pg_tenant_client::edge::{Denied, RequireLayer, Source, TenantLayer, UsageLayer};
use pg_tenant_client::onboarding::Runner;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::Config;
use crate::state::{State, members};

fn app(state: &State) -> Router {
    let tenant = TenantLayer::new(state.directory.clone(), members(&state.jwks))
        .source(Source::header(HeaderName::from_static("x-tenant")))
        // Who is not signed in is told so; which other tenants there are is nobody's business.
        .status(Denied::NoTenant, StatusCode::UNAUTHORIZED)
        .status(Denied::Mismatch, StatusCode::NOT_FOUND);
    let may_remove = RequireLayer::new(state.pool.clone(), "projects.delete");
    // Each search counts, with the transaction that it is; over the tenant's limit of a day it is answered 429.
    let searches = UsageLayer::new(state.pool.clone(), "searches");
    let project = get(projects::read).put(projects::rename).merge(delete(projects::remove).layer(may_remove));
    let of_a_tenant = Router::new()
        .route("/me", get(sign_in::me))
        .route("/projects", get(projects::list).post(projects::create))
        .route("/projects/{project}", project)
        .route("/projects/{project}/contact", get(contacts::read).put(contacts::write))
        .route("/projects/{project}/tasks", get(tasks::list).post(tasks::create))
        .route("/tasks", get(tasks::search).layer(searches))
        .route("/tasks/{task}", get(tasks::read).patch(tasks::change).delete(tasks::remove))
        .layer(tenant);
    let of_operators =
        Router::new().route("/admin/usage", get(admin::usage)).route("/admin/tasks/done", delete(admin::remove_done));
    Router::new()
        .route("/sign-up", post(sign_up::sign_up))
        .route("/sign-in", post(sign_in::sign_in))
        .merge(of_a_tenant)
        .merge(of_operators)
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(state.clone())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = match Config::from_environment() {
        Ok(config) => config,
        Err(wrong) => {
            eprintln!("{wrong}");
            std::process::exit(2);
        }
    };
    let state = State::new(&config)?;
    state.pool.check().await?;
    // Hears of suspensions and new slugs at once; without it they show after a while.
    let _listener = state.directory.listen(config.application.parse()?);

    let (stop, stopped) = watch::channel(false);
    let worker = worker::start(state.worker.clone(), config.worker.parse()?);
    let roll_up = tokio::spawn(roll_up::run(state.reports.clone(), state.operators.clone(), stopped.clone()));
    let onboarding = Runner::new(state.onboarding.clone()).concurrency(2).poll(Duration::from_millis(200)).start();
    let metrics = tokio::net::TcpListener::bind(config.metrics).await?;
    let metrics_at = metrics.local_addr()?;
    tokio::spawn(axum::serve(metrics, metrics::app()?).into_future());

    let listener = tokio::net::TcpListener::bind(config.listen).await?;
    println!("http://{} metrics http://{metrics_at}/metrics", listener.local_addr()?);
    let mut app = app(&state);
    if let Some(billing) = &config.billing {
        app = app.merge(billing::routes(billing)?);
    }
    axum::serve(listener, app).with_graceful_shutdown(told_to_stop()).await?;
    stop.send_replace(true);
    onboarding.drain().await;
    worker.drain().await;
    roll_up.await?;
    println!("stopped");
    Ok(())
}

/// An orchestrator sends SIGTERM, a terminal SIGINT.
async fn told_to_stop() {
    let mut terminate = signal(SignalKind::terminate()).expect("a handler of SIGTERM");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
