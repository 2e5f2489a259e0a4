//! `pgtenant`: what an operator asks of a path to a database. With the feature `cli`.
#![forbid(unsafe_code)]

mod probe; // does the path mix sessions?
mod wire; // connections that answer in time

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tools for databases with pg_tenant.
#[derive(Parser)]
#[command(name = "pgtenant", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell in seconds whether the path to the database mixes sessions. Exits 0 safe, 1 unsafe, 2 could not tell.
    ///
    /// It leaves marks in sessions of its own (a setting, an advisory lock, a temporary table), looks for them from other
    /// connections, and takes them away. It reads and writes no data. Connections are not encrypted.
    LeakProbe {
        /// How the application connects: a URL or key=value pairs.
        url: tokio_postgres::Config,
        /// Also enter this tenant, and look whether another connection is in it afterwards.
        #[arg(long)]
        tenant: Option<String>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Cli::parse().command {
        Command::LeakProbe { url, tenant } => probe::run(&url, tenant.as_deref()).await,
    }
}
