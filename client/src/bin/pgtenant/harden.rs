//! `pgtenant harden`: the steps of `tenant.hardening`, each run alone, so that a busy table stays in use.

use std::process::ExitCode;
use std::time::Instant;

use tokio_postgres::Config;

use crate::wire::{Fault, Wire};

/// A step has a statement, or says what stays as it is.
struct Step {
    relation: String,
    statement: Option<String>,
    why: String,
}

/// Runs the steps, and looks again until none is left. Exits 1 where a step failed, with what was done before it kept:
/// the same command goes on from there. 2 where it could not begin.
pub async fn run(config: &Config, table: &str, dry_run: bool) -> ExitCode {
    let wire = match Wire::connect(config).await {
        Ok(wire) => wire,
        Err(fault) => return not_begun(&fault),
    };
    let mut before: Option<Vec<String>> = None;
    let mut done = 0;
    loop {
        let steps = match plan(&wire, table).await {
            Ok(steps) => steps,
            Err(fault) if done == 0 => return not_begun(&fault),
            Err(fault) => return stopped(done, &fault.to_string()),
        };
        let statements: Vec<String> = steps.iter().filter_map(|step| step.statement.clone()).collect();
        if statements.is_empty() || dry_run {
            steps.iter().for_each(show);
            println!("{done} steps done, {} to do", statements.len());
            return ExitCode::SUCCESS;
        }
        if before.as_ref() == Some(&statements) {
            return stopped(done, "the steps were run, and are still to be done");
        }
        for step in steps.iter().filter(|step| step.statement.is_some()) {
            show(step);
            let since = Instant::now();
            if let Err(fault) = wire.ask_patiently(step.statement.as_deref().unwrap_or_default()).await {
                return stopped(done, &fault.to_string());
            }
            println!("-- done in {:.1} s", since.elapsed().as_secs_f64());
            done += 1;
        }
        before = Some(statements);
    }
}

async fn plan(wire: &Wire, table: &str) -> Result<Vec<Step>, Fault> {
    let table = table.replace('\'', "''");
    let rows = wire
        .ask(&format!(
            "set standard_conforming_strings = on; select relation, statement, why from tenant.hardening('{table}') order by step"
        ))
        .await?;
    let step = |row: Vec<Option<String>>| {
        let [relation, statement, why]: [Option<String>; 3] = row.try_into().ok()?;
        Some(Step { relation: relation.unwrap_or_default(), statement, why: why.unwrap_or_default() })
    };
    Ok(rows.into_iter().filter_map(step).collect())
}

fn show(Step { relation, statement, why }: &Step) {
    println!("-- {relation}: {why}");
    if let Some(statement) = statement {
        println!("{statement};");
    }
}

fn not_begun(fault: &Fault) -> ExitCode {
    eprintln!("could not begin: {fault}");
    ExitCode::from(2)
}

fn stopped(done: usize, why: &str) -> ExitCode {
    eprintln!("stopped after {done} steps: {why}\nwhat was done stays; run the same command again to go on");
    ExitCode::from(1)
}
