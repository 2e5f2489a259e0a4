//! `pgtenant`: what an operator asks of a path to a database.
#![forbid(unsafe_code)]

mod address; // how to connect, and no password on the screen
mod ask; // statements, and what is printed of their answers
mod command; // what asks or tells the server something in one call
mod connect; // how to connect
mod doctor; // what is wrong with a database
mod harden; // the tenant first in a table's keys
mod impersonate; // support in a tenant, for a time
mod live; // what serve and top read, again and again
mod manual; // completions and the man page
mod output; // tables and JSON
mod probe; // does the path mix sessions?
mod serve; // the page for operators
mod top; // the load of tenants, live
mod wire; // connections that answer in time

use std::process::ExitCode;

use address::Address;
use ask::Common;
use clap::{Parser, Subcommand};
use command::{init, jobs, onboard, plan, protect, stats, tenant, told};

/// Tools for databases with pg_tenant.
///
/// Exits 0 when done, 1 where the server refuses or something is found, 2 where it could not be asked.
#[derive(Parser)]
#[command(name = "pgtenant", version)]
struct Cli {
    #[command(flatten)]
    common: Common,
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
    Doctor(doctor::Doctor),
    /// Look at the server, say what its configuration needs, and make the extension, and logins for it.
    Init(init::Init),
    /// Tenants: list, show, create, suspend, settings, members, usage, limits, journal, …
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// Plans, and the limits of their tenants.
    #[command(subcommand)]
    Plan(plan::Plan),
    /// Protect a table, or list those that are.
    Protect(protect::Protect),
    /// Try every way to another tenant. Exits 1 where one leads there.
    Prove(protect::Prove),
    /// Jobs: what waits, what runs, what is dead.
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// Tenants that are being set up.
    #[command(subcommand)]
    Onboard(onboard::Onboard),
    /// What each tenant costs.
    Stats(stats::Stats),
    /// The sessions: which tenant each is in, since when, and what it waits for.
    Activity,
    /// Print what a shell needs to complete commands.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Serve a page for operators and /metrics for Prometheus. Exits 0 when stopped, 2 where it cannot begin.
    ///
    /// It works as a member of tenant_admin, reads, and with --allow-actions suspends, resumes, limits and retries.
    Serve {
        /// How a member of tenant_admin connects, where --url and the environment do not say it.
        #[arg(value_parser = connect::Parser)]
        address: Option<connect::Address>,
        #[command(flatten)]
        options: serve::Serving,
    },
    /// Show which tenant causes the load, live, with keys to suspend, limit or look into one. Exits 0 when it is left,
    /// 2 where there is nothing to show.
    Top {
        /// How a member of tenant_admin connects, where --url and the environment do not say it.
        #[arg(value_parser = connect::Parser)]
        address: Option<connect::Address>,
        #[command(flatten)]
        looking: top::Looking,
    },
    /// Print the manual, as man reads it.
    Man,
    /// Work in a tenant as support, for a time: ask, list, approve, end. Exits 0 done, 1 refused, 2 could not ask.
    #[command(subcommand)]
    Impersonate(impersonate::Impersonation),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { common, command } = Cli::parse();
    match command {
        Command::Init(it) => told(init::run(&common, &it).await),
        Command::Tenant(it) => told(tenant::run(&common, &it).await),
        Command::Plan(it) => told(plan::run(&common, &it).await),
        Command::Protect(it) => told(protect::protect(&common, &it).await),
        Command::Prove(it) => match protect::prove(&common, &it).await {
            Ok(passed) => ExitCode::from(u8::from(!passed)),
            Err(fault) => told(Err(fault)),
        },
        Command::Jobs(it) => told(jobs::run(&common, &it).await),
        Command::Onboard(it) => told(onboard::run(&common, &it).await),
        Command::Stats(it) => told(stats::run(&common, &it).await),
        Command::Activity => told(stats::activity(&common).await),
        Command::Completions { shell } => told(manual::completions::<Cli>(shell)),
        Command::Man => told(manual::man::<Cli>()),
        Command::LeakProbe { url, tenant } => probe::run(common.output(), &url, tenant.as_deref()).await,
        Command::Harden { url, hardening } => harden::run(common.output(), &url, &hardening).await,
        Command::Serve { address, options } => match live::database(&common, address, "pgtenant serve") {
            Ok(database) => serve::run(database, options).await,
            Err(why) => told(Err(wire::Fault::Usage(why))),
        },
        Command::Top { address, looking } => match live::database(&common, address, "pgtenant top") {
            Ok(database) => top::run(database, looking).await,
            Err(why) => told(Err(wire::Fault::Usage(why))),
        },
        Command::Doctor(it) => doctor::run(&common, &it).await,
        Command::Impersonate(impersonation) => impersonate::run(&common, &impersonation).await,
    }
}
