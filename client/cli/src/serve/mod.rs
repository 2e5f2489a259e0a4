//! `pgtenant serve`: a page for operators, made on the server, and what Prometheus reads.

mod actions; // what changes something, where that is allowed
mod asked; // the forms of a tenant's page
pub mod chart; // drawings, as SVG
mod cost; // what one tenant costs
mod findings; // what the doctor finds
mod form; // forms that another site cannot send
mod gate; // who is let in
mod headers; // what browsers are told
mod jobs;
mod journal;
mod load; // what tenants cost, now and since the start
mod metrics; // for Prometheus
mod options; // the command line's
mod page; // what every page has
mod route; // addresses, and what answers
pub mod table; // rows, as people see them
mod tenant; // one tenant
mod tenants; // all of them, searched and paged

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;

pub use options::Serving;

use crate::live::Database;

/// Answers until it is told to stop. Exits 0 when stopped, 2 where it cannot begin.
pub async fn run(database: Database, options: Serving) -> ExitCode {
    match begin(database, options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("pgtenant serve: {why}");
            ExitCode::from(2)
        }
    }
}

async fn begin(database: Database, options: Serving) -> Result<(), String> {
    let gate = gate::Gate::of(&options)?;
    let listen = options.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let state = Arc::new(route::State {
        database,
        gate,
        forms: form::Forms::new(),
        actions: options.allow_actions,
        metrics: metrics::Metrics::new(options.metrics_tenants),
    });
    println!("pgtenant serve: http://{address}/");
    let app = route::routes(state).into_make_service_with_connect_info::<SocketAddr>();
    let stopped = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stopped).await.map_err(|error| error.to_string())
}
