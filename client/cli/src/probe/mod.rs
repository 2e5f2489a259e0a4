//! Whether the path between an application and its database mixes sessions.

mod entry; // pg_tenant's entry through it
mod marks; // what is left in a session, looked for and taken away
mod report; // what it means
mod route; // who answers: one backend or several
mod statements; // are prepared statements carried?

use std::process::ExitCode;

use tokio_postgres::Config;

use crate::command::told;
use crate::output::Output;
use crate::wire::{Fault, Wire};
use entry::Entry;
use marks::{Marks, State};
use report::Report;
use statements::Statements;

/// How many connections look at each other.
const CONNECTIONS: usize = 3;

/// What was found.
#[derive(Default)]
pub struct Found {
    /// The process that answers is not the one the connection was told of.
    pub pooler: Option<bool>,
    /// Why a transaction does not stay on one backend.
    pub split: Option<String>,
    /// The backend of one connection changes between transactions.
    pub switches: bool,
    /// State of one connection that another has seen.
    pub mixed: Vec<State>,
    /// State of a connection that was there after it had closed, for the next one.
    pub survived: Vec<State>,
    pub statements: Statements,
    pub entry: Entry,
    /// Marks that could not be taken away.
    pub left: usize,
}

/// Probes, prints what was found and what it means.
pub async fn run(output: Output, config: &Config, tenant: Option<&str>) -> ExitCode {
    let report = match look(config, tenant).await {
        Ok(found) => Report::of(&found),
        Err(fault) => Report::not_told(&fault),
    };
    match output {
        Output::Text => print!("{report}"),
        Output::Json => {
            if let Err(error) = Output::json(&report.row()) {
                return told(Err(error.into()));
            }
        }
    }
    report.exit()
}

async fn look(config: &Config, tenant: Option<&str>) -> Result<Found, Fault> {
    let mut wires = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let wire = Wire::connect(config).await?;
        wire.pid().await?;
        wires.push(wire);
    }
    let mut found = Found { pooler: route::pooler(&wires).await?, ..Found::default() };
    found.split = route::split(&wires).await?;
    if found.split.is_some() {
        return Ok(found); // what follows would leave marks where nobody finds them again
    }
    let mut marks = Marks::new();
    let looked = async {
        found.mixed = marks.seen_by_others(&wires).await?;
        found.switches = route::switches(&wires).await?;
        if found.pooler == Some(true) && found.mixed.is_empty() && !found.switches {
            found.survived = marks.survive(config, &mut wires).await?;
            marks.clear(&wires).await;
        }
        found.statements = statements::carried(&wires, found.switches || !found.mixed.is_empty()).await?;
        found.entry = entry::through(&wires, tenant).await?;
        Ok(())
    };
    let looked = looked.await;
    found.left = marks.clear(&wires).await;
    looked.map(|()| found)
}
