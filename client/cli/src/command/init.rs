//! `pgtenant init`: looks at the server, says what its configuration needs, and makes the extension and logins' rights.

use clap::Args;
use serde_json::Value;

use crate::ask::{Common, Session};
use crate::output::Row;
use crate::wire::Fault;

/// What is made.
#[derive(Args)]
pub struct Init {
    /// An application's login: it gets tenant_user. It is made where it is not there, without a password.
    #[arg(long, value_name = "ROLE")]
    app: Vec<String>,
    /// An administrator's login: it gets tenant_admin.
    #[arg(long, value_name = "ROLE")]
    admin: Vec<String>,
}

const LOOK: &str =
    "select current_setting('server_version') as server, current_setting('server_version_num')::integer as number,
    current_setting('shared_preload_libraries') ~ '(^|[ ,/])pg_tenant([ ,.]|$)' as preloaded,
    (select default_version from pg_available_extensions where name = 'pg_tenant') as available,
    (select extversion from pg_extension where extname = 'pg_tenant') as installed,
    (select rolsuper from pg_roles where rolname = current_user) as superuser,
    current_setting('config_file', true) as config_file";

/// Looks, says, makes.
pub async fn run(common: &Common, init: &Init) -> Result<(), Fault> {
    let session = common.session().await?;
    let found = session.rows(LOOK, &[]).await?.into_iter().next().unwrap_or_default();
    let is = |name: &str| found.get(name) == Some(&Value::Bool(true));
    let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if found.get("number").and_then(Value::as_i64).unwrap_or(0) < 150_000 {
        return Err(Fault::Refused(format!(
            "the server is PostgreSQL {}: pg_tenant needs 15 or newer",
            text("server")
        )));
    }
    if text("available").is_empty() {
        return Err(Fault::Refused("the server has no files of pg_tenant: install its package there first".to_owned()));
    }
    if !is("preloaded") {
        let file = Some(text("config_file")).filter(|file| !file.is_empty()).unwrap_or("postgresql.conf".to_owned());
        return Err(Fault::Refused(format!(
            "pg_tenant is not preloaded: add it in {file} and restart the server:\n    shared_preload_libraries = 'pg_tenant'"
        )));
    }
    if text("installed").is_empty() && !is("superuser") {
        return Err(Fault::Refused("making the extension needs a superuser: connect as one (--url)".to_owned()));
    }
    let mut done = Row::new();
    session.within(make(&session, init, &text("installed"), &text("available"), &mut done)).await?;
    session.tell(&format!("pg_tenant {} is ready in this database", text("available")), done)
}

async fn make(session: &Session, init: &Init, installed: &str, available: &str, done: &mut Row) -> Result<(), Fault> {
    if installed.is_empty() {
        session.run("create extension pg_tenant").await?;
        done.insert("created".to_owned(), available.into());
    } else if installed != available {
        session.run("alter extension pg_tenant update").await?;
        done.insert("updated".to_owned(), available.into());
    }
    let logins =
        init.app.iter().map(|role| (role, "tenant_user")).chain(init.admin.iter().map(|role| (role, "tenant_admin")));
    for (role, group) in logins {
        let known = session.rows("select 1 as there from pg_roles where rolname = $1", &[Some(role)]).await?;
        let quoted = format!("\"{}\"", role.replace('"', "\"\""));
        if known.is_empty() {
            session.run(&format!("create role {quoted} login")).await?;
        }
        session.run(&format!("grant {group} to {quoted}")).await?;
        done.insert(role.clone(), group.into());
    }
    Ok(())
}
