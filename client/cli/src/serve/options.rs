//! What the command line says.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::HeaderName;
use ipnet::IpNet;

/// Where to listen, who may look, and whether they may act.
#[derive(clap::Args, Clone, Debug)]
pub struct Serving {
    /// Where to listen. Another address than this machine's own needs --token-file or --trust-header.
    #[arg(long, default_value = "127.0.0.1:7420")]
    pub listen: SocketAddr,
    /// Let the page suspend, resume, limit and retry. Otherwise it shows, and changes nothing.
    #[arg(long)]
    pub allow_actions: bool,
    /// A file with a token of 16 characters or more: browsers are asked for it, programs send it as
    /// `Authorization: Bearer <token>`.
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// The header in which a proxy that has signed people in says who they are, such as X-Forwarded-Email.
    #[arg(long, requires = "from")]
    pub trust_header: Option<HeaderName>,
    /// The networks of that proxy: the header is believed from there alone.
    #[arg(long, requires = "trust_header")]
    pub from: Vec<IpNet>,
    /// How many tenants /metrics tells apart; the rest is one series.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=500))]
    pub metrics_tenants: u16,
}
