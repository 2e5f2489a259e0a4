//! What isolation costs, as ratios to peers: all in one run, in turns, the median of the rounds. Prints
//! `ratio <workload> <peer> <value>`; above 1 the protected side is faster. (d) has no peer: `us <workload> <case> <value>`.
//!
//! The peer of (a) and (b) is a role that bypasses row-level security (`row_security = off`) and writes the tenant's
//! predicate by hand; that of (c) is the usual way, BEGIN, set_config, query, COMMIT on a stock policy.
#![forbid(unsafe_code)]

mod point; // (a) reads by primary key
mod scan; // (b) reads of a whole table
mod signed; // (d) entering with a token
mod world; // the server and its tables

use pg_tenant_tests::pace::{Pace, median};
use world::{APP, World};

/// Runs every workload and prints its ratio.
///
/// # Errors
/// Where the server fails, and where two sides return different rows.
pub async fn run() -> anyhow::Result<()> {
    let world = World::build().await?;
    point::run(&world).await?;
    scan::run(&world).await?;
    signed::run(&world).await?;
    let queries = [
        "select amount from points where id = $1",
        "select amount from stock.points where id = $1", // the policy adds the tenant
    ];
    let keys = (0..400).map(|n| world::key(n * 7)).collect();
    let pace = Pace::new(&world.config(APP), &world.url(APP), world::tenant(), keys, queries)?;
    for (name, ratio) in pace.compare(15).await? {
        print("client", &name.replace(", ", "_").replace(' ', "_"), ratio);
    }
    Ok(())
}

/// Median of the peer's time by the protected side's.
fn report(workload: &str, peer: &str, rounds: Vec<(f64, f64)>) {
    print(workload, peer, median(rounds.into_iter().map(|(protected, peer)| peer / protected).collect()));
}

fn print(workload: &str, peer: &str, ratio: f64) {
    println!("ratio {workload} {peer} {ratio:.3}");
}
