//! What isolation costs, as ratios to peers: all in one run, in turns, the median of the rounds. Prints `ratio
//! <workload> <peer> <value>`, above 1 the protected side is faster, and `<unit> <workload> <case> <value>` where there
//! is no peer. Each suite writes JSON, and drawings where there is something to draw, to `benches/results/`.
//!
//! The peer of (a) and (b) is a role that bypasses row-level security (`row_security = off`) and writes the tenant's
//! predicate by hand; that of (c) a server that does not load the library.
#![forbid(unsafe_code)]

mod audit; // (i) what journalling of rows costs
mod client; // (f) the client beside what applications do today: what a call costs, and how fast it is
mod doctor; // (e) the doctor on a large schema
mod fairness; // (g) a greedy tenant
mod guard; // (c) what the hooks cost
mod jobs; // (k) jobs done a second, and who waits
mod neighbours; // (m) a heavy tenant in the server
mod point; // (a) reads by primary key
mod processor; // the time that a backend has had
mod registry; // (h) a large registry, and its changes
mod report; // figures: printed, written, drawn
mod scan; // (b) reads of a whole table
mod signed; // (d) entering with a token
mod statistics; // (l) what counting costs
mod usage; // (j) what is consumed of a meter
mod world; // the server and its tables

use report::{About, Record};
use world::World;

/// The suites, in the order in which they run.
pub const SUITES: [&str; 13] = [
    "isolation",
    "guard",
    "signed",
    "doctor",
    "registry",
    "audit",
    "usage",
    "jobs",
    "statistics",
    "neighbours",
    "costs",
    "client",
    "fairness",
];

/// Runs one suite, prints its figures and writes them down.
///
/// # Errors
/// Where the server fails, and where two sides return different rows.
async fn run(suite: &str, world: &World) -> anyhow::Result<()> {
    let mut record = Record::new(suite, About::here(&world.session("postgres").await).await?);
    match suite {
        "isolation" => {
            point::run(world, &mut record).await?;
            scan::run(world, &mut record).await?;
        }
        "guard" => guard::run(world, &mut record).await?,
        "signed" => signed::run(world, &mut record).await?,
        "doctor" => doctor::run(&mut record).await?,
        "registry" => registry::run(&mut record).await?,
        "audit" => audit::run(&mut record).await?,
        "usage" => usage::run(&mut record).await?,
        "jobs" => jobs::run(&mut record).await?,
        "statistics" => statistics::run(&mut record).await?,
        "neighbours" => neighbours::run(&mut record).await?,
        "costs" => client::costs(world, &mut record).await?,
        "client" => client::run(world, &mut record).await?,
        "fairness" => fairness::run(world, &mut record).await?,
        _ => unreachable!("run_all has checked the names"),
    }
    record.finish()
}

/// Runs the suites named, or all; `client` with `costs`, which are of the same calls. `draw` runs none and draws anew
/// what earlier runs wrote.
///
/// # Errors
/// Those of [`run`].
pub async fn run_all(only: &[String]) -> anyhow::Result<()> {
    if only == ["draw"] {
        return Record::show_again(&SUITES);
    }
    for name in only {
        anyhow::ensure!(SUITES.contains(&name.as_str()), "no suite {name:?}: one of {}", SUITES.join(", "));
    }
    let world = World::build().await?;
    for suite in SUITES {
        let is_named = |name: &String| name == suite || suite == "costs" && name == "client";
        if only.is_empty() || only.iter().any(is_named) {
            run(suite, &world).await?;
        }
    }
    Ok(())
}
