//! `pgtenant top`: which tenant causes the load, now; and what stops it.

mod action; // what changes something, after a question
mod column; // what is shown of a tenant, and sorted by
mod detail; // a look into one tenant
mod draw; // a screen, out of the state
mod sample; // what is read each time
mod screen; // the terminal
mod state; // what is shown, and what keys do to it

#[cfg(test)]
mod drawn; // screens, compared

use std::process::ExitCode;

use crate::live::{Database, Fault};

/// How often, sorted by what.
#[derive(clap::Args, Clone, Debug)]
pub struct Looking {
    /// Print one screen as text, and end.
    #[arg(long)]
    once: bool,
    /// What comes first.
    #[arg(long, value_enum, default_value = "exec")]
    sort: column::Column,
    /// Seconds between two looks. The server counts in steps of ten.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    delay: u64,
}

/// Exits 0 when it is left, 2 where there is nothing to show.
pub async fn run(database: Database, looking: Looking) -> ExitCode {
    let result =
        if looking.once { once(&database, looking.sort).await } else { screen::run(&database, &looking).await };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("pgtenant top: {why}");
            ExitCode::from(2)
        }
    }
}

async fn once(database: &Database, sort: column::Column) -> Result<(), String> {
    let sample = sample::take(database).await.map_err(|fault: Fault| fault.to_string())?;
    let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(80).clamp(80, 250);
    let height = u16::try_from(sample.lines.len()).unwrap_or(u16::MAX).clamp(1, 500) + draw::AROUND - 1;
    let mut state = state::State::new(sort);
    state.is_once = true;
    state.show(sample);
    print!("{}", draw::text(&state, width, height));
    Ok(())
}
