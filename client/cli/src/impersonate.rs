//! `pgtenant impersonate`: support asks to work in a tenant for a time, a second person approves it, and either ends
//! it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use tokio_postgres::Config;

use crate::address::Address;
use crate::wire::{Fault, Wire};

/// What is done with a grant.
#[derive(Subcommand)]
pub enum Impersonation {
    /// Ask to work in a tenant. Prints the grant's id, and how to enter with it.
    Ask {
        /// How a member of tenant_support connects.
        #[arg(value_parser = Address)]
        url: Config,
        #[command(flatten)]
        asked: Asked,
    },
    /// Print those that are open, and those that wait for a second person.
    List {
        /// How a member of tenant_support or tenant_admin connects.
        #[arg(value_parser = Address)]
        url: Config,
    },
    /// Open one that somebody else has asked for.
    Approve {
        /// How a member of tenant_support or tenant_admin connects.
        #[arg(value_parser = Address)]
        url: Config,
        /// The grant's id.
        id: String,
    },
    /// End one: the next statement that works by it is refused.
    End {
        /// How a member of tenant_support or tenant_admin connects.
        #[arg(value_parser = Address)]
        url: Config,
        /// The grant's id.
        id: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Where, in whose place, why, and for how long.
#[derive(Args)]
pub struct Asked {
    /// The tenant's id.
    tenant: String,
    /// In the place of this user, with what it may. Without one it has no permissions.
    #[arg(long = "as")]
    user: Option<String>,
    /// Why. The tenant reads it.
    #[arg(long)]
    reason: String,
    /// How long, as PostgreSQL reads an interval.
    #[arg(long = "for", default_value = "15 minutes")]
    lasts: String,
    /// Also write.
    #[arg(long)]
    write: bool,
    /// Who uses this login, where several do.
    #[arg(long)]
    by: Option<String>,
}

const OPEN: &str = "select id, tenant_id, case when as_user is null then 'nobody' else as_user end,
    case when write then 'writes' else 'reads' end, impersonator, reason,
    case when waits then 'waits for approval' else 'until ' || expires_at end
    from tenant.open_impersonations";

/// Exits 1 where the server refuses, 2 where it cannot be asked.
pub async fn run(impersonation: &Impersonation) -> ExitCode {
    match say(impersonation).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault @ Fault::Said(..)) if fault.status() == 1 => {
            eprintln!("refused: {fault}");
            if let Some(hint) = fault.hint() {
                eprintln!("{hint}");
            }
            ExitCode::from(1)
        }
        Err(fault) => {
            eprintln!("could not ask: {fault}");
            ExitCode::from(2)
        }
    }
}

async fn say(impersonation: &Impersonation) -> Result<(), Fault> {
    match impersonation {
        Impersonation::Ask { url, asked } => {
            let wire = Wire::connect(url).await?;
            let id = wire.value(&asked.statement()).await?;
            show(&wire, &format!("{OPEN} where id = {}", quoted(&id))).await?;
            println!("enter it:  begin; select tenant.enter_as('{id}');");
            println!("end it:    select tenant.end_impersonation('{id}');");
        }
        Impersonation::List { url } => {
            let count = show(&Wire::connect(url).await?, &format!("{OPEN} order by requested_at, id")).await?;
            println!("{count} impersonations");
        }
        Impersonation::Approve { url, id } => {
            let sql = format!("select tenant.approve_impersonation({})", quoted(id));
            println!("open until {}", Wire::connect(url).await?.value(&sql).await?);
        }
        Impersonation::End { url, id, reason } => {
            let reason = reason.as_deref().map_or("null".to_owned(), quoted);
            Wire::connect(url)
                .await?
                .ask(&format!("select tenant.end_impersonation({}, {reason})", quoted(id)))
                .await?;
            println!("ended");
        }
    }
    Ok(())
}

impl Asked {
    fn statement(&self) -> String {
        let or_null = |text: &Option<String>| text.as_deref().map_or("null".to_owned(), quoted);
        format!(
            "select tenant.impersonate({}::text, {}, {}, lasts => {}, write => {}, actor => {})",
            quoted(&self.tenant),
            or_null(&self.user),
            quoted(&self.reason),
            quoted(&self.lasts),
            self.write,
            or_null(&self.by)
        )
    }
}

/// A line for each; how many there are.
async fn show(wire: &Wire, sql: &str) -> Result<usize, Fault> {
    let rows = wire.ask(sql).await?;
    for row in &rows {
        let text = |at: usize| row.get(at).and_then(Option::as_deref).unwrap_or_default();
        let [id, tenant, user, does, by, why, until] = [0, 1, 2, 3, 4, 5, 6].map(text);
        println!("{id}  {by} in tenant {tenant} as {user}, {does}, {until}: {why}");
    }
    Ok(rows.len())
}

/// As a literal. The escape form is right whatever standard_conforming_strings says.
fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
