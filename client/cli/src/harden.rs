//! `pgtenant harden`: the steps of `tenant.hardening`, each run alone, so that a busy table stays in use.

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio_postgres::Config;

use crate::output::Output;
use crate::wire::{Fault, Wire};

/// What `tenant.hardening` is asked, and how patiently its steps are run.
#[derive(clap::Args)]
pub struct Hardening {
    /// The table, with its schema unless that is in the search path.
    table: String,
    /// Print the steps and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Put the tenant in surrogate keys as well: numbered ones and random uuids.
    #[arg(long)]
    all: bool,
    /// Leave the old keys beside the new ones, until the command is run again without this.
    #[arg(long)]
    keep_old_keys: bool,
    /// The tenant column of tables that are not protected yet: foreign keys are validated faster, and lock no row,
    /// before.
    #[arg(long)]
    tenant_column: Option<String>,
    /// How many milliseconds a step waits for a lock, behind which the application waits: then it is tried again.
    #[arg(long, default_value_t = 1000)]
    lock_timeout: u32,
    /// How often in succession a lock may not be had.
    #[arg(long, default_value_t = 20)]
    tries: u32,
}

/// A step has a statement, or says what stays as it is.
#[derive(Serialize)]
struct Step {
    relation: String,
    statement: Option<String>,
    why: String,
    changes: Option<String>,
}

/// What was done, and what is left, as JSON.
#[derive(Default, Serialize)]
struct Told {
    done: Vec<Step>,
    left: Vec<Step>,
}

/// Runs the steps, and looks again until none is left. Exits 1 where a step failed, with what was done before it kept:
/// the same command goes on from there. 2 where it could not begin.
pub async fn run(output: Output, config: &Config, hardening: &Hardening) -> ExitCode {
    let mut told = Told::default();
    let ended = go(output, config, hardening, &mut told).await;
    let begun = !matches!(ended, Err(Ended::NotBegun(_)));
    if begun
        && matches!(output, Output::Json)
        && let Err(error) = Output::json(&told)
    {
        return not_begun(&error.into());
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::NotBegun(fault)) => not_begun(&fault),
        Err(Ended::Stopped(why)) => stopped(told.done.len(), &why),
    }
}

/// How it ended before the end.
enum Ended {
    NotBegun(Fault),
    Stopped(String),
}

async fn go(output: Output, config: &Config, hardening: &Hardening, told: &mut Told) -> Result<(), Ended> {
    let say = |line: &dyn Fn() -> String| {
        if matches!(output, Output::Text) {
            println!("{}", line());
        }
    };
    let wire = Wire::connect(config).await.map_err(Ended::NotBegun)?;
    let mut before: Option<Vec<String>> = None;
    let mut locked = 0;
    'plans: loop {
        let steps = match hardening.plan(&wire).await {
            Ok(steps) => steps,
            Err(fault) if told.done.is_empty() => return Err(Ended::NotBegun(fault)),
            Err(fault) => return Err(Ended::Stopped(fault.to_string())),
        };
        let statements: Vec<String> = steps.iter().filter_map(|step| step.statement.clone()).collect();
        if statements.is_empty() || hardening.dry_run {
            steps.iter().for_each(|step| say(&|| step.shown()));
            say(&|| format!("{} steps done, {} to do", told.done.len(), statements.len()));
            told.left = steps;
            return Ok(());
        }
        if before.as_ref() == Some(&statements) {
            return Err(Ended::Stopped("the steps were run, and are still to be done".to_owned()));
        }
        for step in steps.into_iter().filter(|step| step.statement.is_some()) {
            say(&|| step.shown());
            let since = Instant::now();
            match hardening.take(&wire, step.statement.as_deref().unwrap_or_default()).await {
                Ok(()) => say(&|| format!("-- done in {:.1} s", since.elapsed().as_secs_f64())),
                Err(fault) if fault.code() == "55P03" && locked < hardening.tries => {
                    locked += 1;
                    say(&|| format!("-- locked by others: tried again, {locked} of {}", hardening.tries));
                    tokio::time::sleep(pause(locked)).await;
                    continue 'plans; // an index that was begun is begun anew
                }
                Err(fault) => return Err(Ended::Stopped(fault.to_string())),
            }
            told.done.push(step);
            locked = 0;
        }
        before = Some(statements);
    }
}

impl Hardening {
    async fn plan(&self, wire: &Wire) -> Result<Vec<Step>, Fault> {
        let quoted = |name: &str| format!("'{}'", name.replace('\'', "''"));
        let column = self.tenant_column.as_deref().map_or("null".to_owned(), quoted);
        let sql = format!(
            "set standard_conforming_strings = on; select relation, statement, why, changes from tenant.hardening({},
                harden => '{}', keep_old_keys => {}, tenant_column => {column}) order by step",
            quoted(&self.table),
            if self.all { "all" } else { "true" },
            self.keep_old_keys
        );
        let step = |row: Vec<Option<String>>| {
            let [relation, statement, why, changes]: [Option<String>; 4] = row.try_into().ok()?;
            Some(Step { relation: relation.unwrap_or_default(), statement, why: why.unwrap_or_default(), changes })
        };
        Ok(wire.ask(&sql).await?.into_iter().filter_map(step).collect())
    }

    /// Nobody queues behind an index that is made concurrently while it waits; behind all others everybody does.
    async fn take(&self, wire: &Wire, statement: &str) -> Result<(), Fault> {
        if statement.starts_with("CREATE UNIQUE INDEX CONCURRENTLY") {
            wire.ask("reset lock_timeout").await?;
        } else {
            wire.ask(&format!("set lock_timeout = {}", self.lock_timeout)).await?;
        }
        wire.ask_patiently(statement).await.map(|_| ())
    }
}

/// Longer from time to time, and never in step with whoever else waits: up to 5 seconds.
fn pause(tries: u32) -> Duration {
    let most = (u64::from(tries) * 500).min(5000);
    Duration::from_millis(most / 2 + RandomState::new().hash_one(tries) % (most / 2))
}

impl Step {
    /// As SQL, with the reason before it.
    fn shown(&self) -> String {
        let mut lines = vec![format!("-- {}: {}", self.relation, self.why)];
        lines.extend(self.changes.iter().map(|changes| format!("-- for applications: {changes}")));
        lines.extend(self.statement.iter().map(|statement| format!("{statement};")));
        lines.join("\n")
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
