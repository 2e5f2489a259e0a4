//! What Prometheus reads: the client's counters and histograms, whose labels are bounded, whatever number of tenants.

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusBuilder;

/// Installs the recorder of the process, and serves what it has recorded.
pub fn app() -> Result<Router, Box<dyn std::error::Error>> {
    let recorder = PrometheusBuilder::new().install_recorder()?;
    Ok(Router::new().route("/metrics", get(async move || recorder.render())))
}
