//! A tenant's statement has another outcome where other tenants have other rows.
//!
//! `SEED=… STATEMENTS=…` repeats a run, or makes it longer: `make fuzz`. `FAMILY=…` is for attacks of one family alone.

use crate::lane::LANES;
use crate::run::{Tally, run};
use crate::vocabulary::{FAMILIES, Family};
use crate::world::Worlds;

pub fn setting(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")),
        Err(_) => otherwise,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_thousands_of_statements() {
    let (seed, statements) = (setting("SEED", 20), setting("STATEMENTS", 20_000));
    let families = std::env::var("FAMILY").map_or(FAMILIES, |name| Family::named(&name));
    let worlds = Worlds::new("two_worlds", &LANES, "").await;
    let outcome = run(&worlds, &LANES, families, seed, (statements as usize).div_ceil(LANES.len())).await;
    let mut all = Tally::default();
    for lane in outcome {
        match lane {
            Ok(tally) => all = all.and(tally),
            Err(difference) => {
                panic!("SEED={seed} STATEMENTS={} repeats it\n{}", difference.after * LANES.len(), difference.what)
            }
        }
    }
    eprintln!("SEED={seed}: {all:?}");
    assert!(all.succeeded * 10 > all.statements * 7, "too little succeeds to prove anything: {all:?}");
    assert!(all.rows > all.statements, "too few rows come to prove anything: {all:?}");
    assert!(all.unplanned <= 1 + all.statements / 100_000, "too much is not compared: {all:?}");
}
