//! `pgtenant`: what an operator asks of a path to a database.
#![forbid(unsafe_code)]

mod address; // how to connect, and no password on the screen
mod doctor; // what is wrong with a database
mod harden; // the tenant first in a table's keys
mod impersonate; // support in a tenant, for a time
mod live; // what serve and top read, again and again
mod probe; // does the path mix sessions?
mod serve; // the page for operators
mod top; // the load of tenants, live
mod wire; // connections that answer in time

use std::process::ExitCode;

use address::Address;
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
    /// Tell in seconds whether the path to the database mixes sessions. Exits 0 safe, 1 not safe, 2 could not tell.
    ///
    /// It leaves marks in sessions of its own (a setting, an advisory lock, a temporary table), looks for them from
    /// other connections, and takes them away. It reads and writes no data. Connections are not encrypted.
    LeakProbe {
        /// How the application connects: a URL or key=value pairs.
        #[arg(value_parser = Address)]
        url: tokio_postgres::Config,
        /// Also enter this tenant, and look whether another connection is in it afterwards.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Put the tenant first in the keys of a table, step by step, without a long lock: runs what `tenant.hardening`
    /// lists. As the table's owner, not through a pooler. Exits 0 done, 1 stopped on the way, 2 not begun.
    Harden {
        /// How the owner of the table connects.
        #[arg(value_parser = Address)]
        url: tokio_postgres::Config,
        #[command(flatten)]
        hardening: harden::Hardening,
    },
    /// Print what `tenant.doctor` finds. Exits 0 where nothing is as grave as the level, 1 where something is, 2 where
    /// the doctor cannot be asked.
    Doctor {
        /// How a member of tenant_admin connects.
        #[arg(value_parser = Address)]
        url: tokio_postgres::Config,
        /// From which level on a finding fails the command.
        #[arg(long, value_enum, default_value = "error")]
        level: doctor::Level,
    },
    /// Serve a page for operators and /metrics for Prometheus. Exits 0 when stopped, 2 where it cannot begin.
    ///
    /// It works as a member of tenant_admin, reads, and with --allow-actions suspends, resumes, limits and retries.
    Serve {
        /// How a member of tenant_admin connects.
        #[arg(value_parser = Address)]
        url: tokio_postgres::Config,
        #[command(flatten)]
        options: serve::Serving,
    },
    /// Show which tenant causes the load, live, with keys to suspend, limit or look into one. Exits 0 when it is left,
    /// 2 where there is nothing to show.
    Top {
        /// How a member of tenant_admin connects.
        #[arg(value_parser = Address)]
        url: tokio_postgres::Config,
        #[command(flatten)]
        looking: top::Looking,
    },
    /// Work in a tenant as support, for a time: ask, list, approve, end. Exits 0 done, 1 refused, 2 could not ask.
    #[command(subcommand)]
    Impersonate(impersonate::Impersonation),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Cli::parse().command {
        Command::LeakProbe { url, tenant } => probe::run(&url, tenant.as_deref()).await,
        Command::Harden { url, hardening } => harden::run(&url, &hardening).await,
        Command::Doctor { url, level } => doctor::run(&url, level).await,
        Command::Serve { url, options } => match live::Database::new(url, tokio_postgres::NoTls, "pgtenant serve", 4) {
            Ok(database) => serve::run(database, options).await,
            Err(why) => told(&why),
        },
        Command::Top { url, looking } => match live::Database::new(url, tokio_postgres::NoTls, "pgtenant top", 1) {
            Ok(database) => top::run(database, looking).await,
            Err(why) => told(&why),
        },
        Command::Impersonate(impersonation) => impersonate::run(&impersonation).await,
    }
}

fn told(why: &str) -> ExitCode {
    eprintln!("pgtenant: {why}");
    ExitCode::from(2)
}
