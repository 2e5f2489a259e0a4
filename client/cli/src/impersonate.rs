//! `pgtenant impersonate`: support asks to work in a tenant for a time, a second person approves it, and either ends
//! it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use tokio_postgres::Config;

use crate::address::Address;
use crate::ask::{Common, Session};
use crate::command::told;
use crate::output::{Output, Row, printable};
use crate::wire::Fault;

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

const OPEN: &str = "select id, tenant_id, as_user, write, impersonator, reason, waits, expires_at
    from tenant.open_impersonations";
const ASK: &str = "select tenant.impersonate($1::text, $2, $3, lasts => $4::text::interval, write => $5::text::boolean,
    actor => $6) as id";

/// Exits 1 where the server refuses, 2 where it cannot be asked.
pub async fn run(common: &Common, impersonation: &Impersonation) -> ExitCode {
    told(say(common, impersonation).await)
}

async fn say(common: &Common, impersonation: &Impersonation) -> Result<(), Fault> {
    match impersonation {
        Impersonation::Ask { url, asked } => ask(&common.session_at(url).await?, asked).await,
        Impersonation::List { url } => {
            let session = common.session_at(url).await?;
            let rows = session.rows(&format!("{OPEN} order by requested_at, id"), &[]).await?;
            match session.output {
                Output::Json => session.output.rows(&rows, "")?,
                Output::Text => {
                    rows.iter().for_each(show);
                    println!("{} impersonations", rows.len());
                }
            }
            Ok(())
        }
        Impersonation::Approve { url, id } => {
            let session = common.session_at(url).await?;
            let sql = "select tenant.approve_impersonation($1::text::uuid) as expires_at";
            let row = session.within(session.rows(sql, &[Some(id)])).await?.into_iter().next().unwrap_or_default();
            session.tell(&format!("open until {}", text(&row, "expires_at")), row)
        }
        Impersonation::End { url, id, reason } => {
            let sql = "select tenant.end_impersonation($1::text::uuid, $2)";
            common.session_at(url).await?.change(sql, &[Some(id), reason.as_deref()], "ended").await
        }
    }
}

async fn ask(session: &Session, asked: &Asked) -> Result<(), Fault> {
    let Asked { tenant, user, reason, lasts, write, by } = asked;
    let write = write.to_string();
    let params = [Some(&**tenant), user.as_deref(), Some(&**reason), Some(&**lasts), Some(&*write), by.as_deref()];
    let row = session.within(async {
        let id = session.rows(ASK, &params).await?.first().map(|row| text(row, "id")).unwrap_or_default();
        let rows = session.rows(&format!("{OPEN} where id = $1::text::uuid"), &[Some(&id)]).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    });
    let row = row.await?;
    if session.is_dry_run() || matches!(session.output, Output::Json) {
        return session.tell("support is asked for", row);
    }
    show(&row);
    let id = text(&row, "id");
    println!("enter it:  begin; select tenant.enter_as('{id}');");
    println!("end it:    select tenant.end_impersonation('{id}');");
    Ok(())
}

fn text(row: &Row, name: &str) -> String {
    row.get(name).and_then(|value| value.as_str()).map(printable).unwrap_or_default()
}

/// A line.
fn show(row: &Row) {
    let is = |name: &str| row.get(name) == Some(&true.into());
    let [id, tenant, user, by, why, until] =
        ["id", "tenant_id", "as_user", "impersonator", "reason", "expires_at"].map(|name| text(row, name));
    let user = if user.is_empty() { "nobody".to_owned() } else { user };
    let does = if is("write") { "writes" } else { "reads" };
    let until = if is("waits") { "waits for approval".to_owned() } else { format!("until {until}") };
    println!("{id}  {by} in tenant {tenant} as {user}, {does}, {until}: {why}");
}
