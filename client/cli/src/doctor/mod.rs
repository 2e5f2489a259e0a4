//! `pgtenant doctor`: the server's findings as text, and whether one is as grave as asked.

use std::process::ExitCode;

use clap::ValueEnum;
use tokio_postgres::Config;

use crate::wire::{Fault, Rows, Wire};

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

const FINDINGS: &str = "select code, level, object, problem, fix from tenant.doctor()";

/// Prints the findings. Exits 1 where one is of this level or graver, 2 where the doctor cannot be asked.
pub async fn run(config: &Config, level: Level) -> ExitCode {
    let findings = match ask(config).await {
        Ok(findings) => findings,
        Err(fault) => {
            eprintln!("could not tell: {fault}");
            return ExitCode::from(2);
        }
    };
    let mut grave = 0;
    for finding in &findings {
        let [code, found, object, problem, fix] = finding.each_ref().map(|text| text.as_deref().unwrap_or_default());
        println!("{code}  {found:<5}  {object}: {problem}");
        if !fix.is_empty() {
            println!("             {}", fix.replace('\n', "\n             "));
        }
        // A level that this program does not know is grave.
        grave += usize::from(Level::from_str(found, false).map_or(true, |found| found <= level));
    }
    let name = level.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    println!("{} findings, {grave} of level {name} or graver", findings.len());
    ExitCode::from(u8::from(grave > 0))
}

async fn ask(config: &Config) -> Result<Vec<[Option<String>; 5]>, Fault> {
    let wire = Wire::connect(config).await?;
    let rows: Rows = wire.ask_patiently(FINDINGS).await?;
    Ok(rows.into_iter().filter_map(|row| row.try_into().ok()).collect())
}
