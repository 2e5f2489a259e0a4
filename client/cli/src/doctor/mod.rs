//! `pgtenant doctor`: the server's findings as text, JSON or SARIF, their fixes, and whether one is as grave as asked.

mod sarif; // as code hosts read it

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio_postgres::Config;

use crate::address::Address;
use crate::ask::Common;
use crate::command::told;
use crate::output::{Output, printable};
use crate::wire::{Fault, Wire};

/// How grave a finding is: the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// Tenants are not kept apart.
    Error,
    /// They are as long as nothing else fails.
    Warn,
    /// To know.
    Info,
}

/// What is asked, and how it is told.
#[derive(Args)]
pub struct Doctor {
    /// How a member of tenant_admin connects, where --url and the environment do not say it.
    #[arg(value_parser = Address)]
    address: Option<Config>,
    /// From which level on a finding fails the command.
    #[arg(long, alias = "fail-on", value_enum, default_value = "error")]
    level: Level,
    /// Show the statements that mend what was found, and run them after a question.
    #[arg(long)]
    fix: bool,
    /// With --fix: do not ask.
    #[arg(long, requires = "fix")]
    yes: bool,
    /// Print SARIF.
    #[arg(long, conflicts_with_all = ["fix", "json"])]
    sarif: bool,
}

/// A finding, as `tenant.doctor` has it.
#[derive(Debug, Deserialize, Serialize)]
struct Finding {
    code: String,
    level: String,
    object: Option<String>,
    problem: String,
    why: Option<String>,
    fix: Option<String>,
}

const FINDINGS: &str =
    "select coalesce(pg_catalog.json_agg(d), '[]')::text from (select code, level, object, problem, why, fix
    from tenant.doctor() order by case level when 'error' then 0 when 'warn' then 1 else 2 end, code, object) d";

/// Prints the findings. Exits 1 where one is of this level or graver, 2 where the doctor cannot be asked.
pub async fn run(common: &Common, doctor: &Doctor) -> ExitCode {
    match examine(common, doctor).await {
        Ok(grave) => ExitCode::from(u8::from(grave > 0)),
        Err(fault) => {
            told(Err(fault));
            ExitCode::from(2)
        }
    }
}

async fn examine(common: &Common, doctor: &Doctor) -> Result<usize, Fault> {
    let wire = match &doctor.address {
        Some(config) => Wire::connect(config).await?,
        None => Wire::open(&common.connection).await?,
    };
    let text = wire.ask_patiently(FINDINGS).await?.into_iter().flatten().next().flatten().unwrap_or_default();
    let findings: Vec<Finding> = serde_json::from_str(&text).map_err(|error| Fault::Broken(error.to_string()))?;
    // A level that this program does not know is grave.
    let is_grave =
        |finding: &&Finding| Level::from_str(&finding.level, false).map_or(true, |found| found <= doctor.level);
    let grave = findings.iter().filter(is_grave).count();
    match common.output() {
        _ if doctor.sarif => sarif::print(&findings)?,
        Output::Json => Output::json(&findings)?,
        Output::Text => {
            findings.iter().for_each(show);
            let name = doctor.level.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            println!("{} findings, {grave} of level {name} or graver", findings.len());
        }
    }
    if doctor.fix {
        mend(&wire, &findings, common.is_dry_run(), doctor.yes).await?;
    }
    Ok(grave)
}

fn show(finding: &Finding) {
    let Finding { code, level, object, problem, fix, .. } = finding;
    let colour = match level.as_str() {
        "error" => "\x1b[31m",
        "warn" => "\x1b[33m",
        _ => "\x1b[36m",
    };
    let level = format!("{level:<5}");
    let has_colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let level = if has_colours { format!("{colour}{level}\x1b[0m") } else { level };
    println!("{code}  {level}  {}: {}", printable(object.as_deref().unwrap_or_default()), printable(problem));
    for line in fix.iter().flat_map(|fix| fix.lines()) {
        println!("             {}", printable(line));
    }
}

/// Whether a fix can be run as it is: it has nothing that somebody has to fill in or to decide.
fn is_statement(fix: &str) -> bool {
    let words = ["select ", "alter ", "create ", "drop ", "grant ", "revoke "];
    words.iter().any(|word| fix.trim_start().to_ascii_lowercase().starts_with(word))
        && !fix.contains(['<', '>'])
        && !fix.contains("...")
        && !fix.contains("--")
}

async fn mend(wire: &Wire, findings: &[Finding], is_dry_run: bool, yes: bool) -> Result<(), Fault> {
    for finding in findings {
        let Some(fix) = finding.fix.as_deref().filter(|fix| is_statement(fix)) else { continue };
        println!("\n{}: {}\n    {}", finding.code, printable(&finding.problem), fix.replace('\n', "\n    "));
        if is_dry_run {
            println!("would be run");
            continue;
        }
        if !yes && !consents()? {
            println!("left as it is");
            continue;
        }
        match wire.ask_patiently(fix).await {
            Ok(_) => println!("done"),
            Err(fault) => println!("not done: {fault}"),
        }
    }
    Ok(())
}

fn consents() -> Result<bool, Fault> {
    if !std::io::stdin().is_terminal() {
        return Err(Fault::Usage("there is nobody to ask: --yes runs each fix".to_owned()));
    }
    print!("run it? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_somebody_has_to_decide_is_not_run() {
        assert!(super::is_statement("select tenant.protect('orders');"));
        for fix in ["Add an index.", "alter role <role> nobypassrls;", "select tenant.define_plan('x', ...);"] {
            assert!(!super::is_statement(fix), "{fix}");
        }
    }
}
