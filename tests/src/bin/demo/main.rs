//! `make demo`: many tenants at once, attacks, throughput, and a server to look around in.
//!
//! Ends with a status other than 0 where a foreign row was seen, an attack got through, an attack did not do to stock
//! PostgreSQL what the table says, or a connection was left in a transaction.
//!
//! `DEMO_SCALE` (TPC-H's scale factor, 0.01), `DEMO_SECONDS` (how long the tenants work, 6), `KEEP=1`.

mod attacks; // 2 on a stock policy and on pg_tenant
mod busy; // 1 readers and writers, and futures that are dropped
mod data; // TPC-H, split over tenants
mod look; // 4 how to connect
mod speed; // 3 calls per second, beside the usual way
mod work; // what a reader or writer does, over either pool
mod world; // the server and what is on it

use std::process::ExitCode;
use std::time::Instant;

use world::World;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let world = World::build(number("DEMO_SCALE", 0.01)?).await?;
    let mut wrong = busy::run(&world, number("DEMO_SECONDS", 6.0)?).await?;
    wrong.extend(attacks::run(&world).await?);
    wrong.extend(speed::run(&world).await?);
    look::around(world).await?;
    println!("\n{:.0} seconds.", start.elapsed().as_secs_f64());
    for what in &wrong {
        println!("WRONG: {what}");
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A number from the environment.
fn number(name: &str, otherwise: f64) -> anyhow::Result<f64> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => match text.parse() {
            Ok(value) if value > 0.0 => Ok(value),
            _ => anyhow::bail!("{name}={text}: a number above 0 is expected"),
        },
        _ => Ok(otherwise),
    }
}

/// The heading of a chapter.
fn heading(text: &str) {
    println!("\n{text}\n{}", "─".repeat(text.chars().count()));
}

/// An empty table, as all of them are drawn.
fn table(header: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY).set_header(header);
    table
}
