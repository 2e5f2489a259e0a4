//! Of sizes, counters, locks and sessions a tenant is told something that depends on other tenants.
//!
//! `SEED=… STATEMENTS=…` as for the programs.

use crate::a_program_tells_them_apart::setting;
use crate::lane::LANES;
use crate::run::{Tally, run};
use crate::world::{World, Worlds};

/// What each world answers to each read, inside the first lane's tenant: rows, or the SQLSTATE.
async fn answers(worlds: &Worlds, reads: &[String]) -> Vec<[Result<Vec<Vec<Option<String>>>, String>; 2]> {
    let mut all = Vec::new();
    let sessions = [worlds.enter(World::Crowded, &LANES[0]).await, worlds.enter(World::Sparse, &LANES[0]).await];
    for read in reads {
        let mut both = Vec::new();
        for session in &sessions {
            session.run(&format!("begin; select tenant.enter('{}')", LANES[0].tenant)).await;
            both.push(match session.simple_query(read).await {
                Ok(_) => Ok(session.rows(read).await),
                Err(error) => Err(error.code().map(|code| code.code().to_owned()).unwrap_or_default()),
            });
            session.run("rollback").await;
        }
        all.push(both.try_into().expect("two worlds"));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_any_function_or_view() {
    let mut worlds =
        Worlds::new("told_worlds", &LANES, "create sequence told_numbers; grant select on told_numbers to public")
            .await;
    // One world's strangers are busy as well: they hold locks, and are in the middle of a statement.
    let busy = worlds.superuser(World::Crowded).await;
    busy.run("select setval('told_numbers', 4711); begin; lock table orders in row exclusive mode; select pg_advisory_xact_lock(4711)").await;
    let reads = crate::told::reads(&busy).await;
    // The hole: where it is allowed, so many of them tell the worlds apart.
    let open = answers(&worlds, &reads).await;
    let told = open.iter().filter(|[one, two]| one != two).count();
    assert!(told > 40, "only {told} of {} reads tell the worlds apart where they may", reads.len());
    worlds.hide(&LANES).await;
    let hidden = answers(&worlds, &reads).await;
    for (read, [one, two]) in reads.iter().zip(&hidden) {
        assert_eq!(one, two, "{read}");
        assert_ne!(one.as_ref().err().map(String::as_str), Some("TN062"), "{read}");
    }
    let refused = hidden.iter().filter(|[one, _]| one.is_err()).count();
    eprintln!("{} reads: {told} tell where it is allowed, 0 where it is hidden; {refused} fail in both", reads.len());
    assert!(refused * 5 < reads.len(), "{refused} of {} fail", reads.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_middle_of_programs() {
    let (seed, statements) = (setting("SEED", 20), setting("STATEMENTS", 4_000));
    let mut worlds = Worlds::new("told_programs", &LANES, "create sequence told_numbers").await;
    worlds.hide(&LANES).await;
    let outcome = run(&worlds, &LANES, &[], seed, (statements as usize).div_ceil(LANES.len())).await;
    let mut all = Tally::default();
    for lane in outcome {
        match lane {
            Ok(tally) => all = all.and(tally),
            Err(difference) => panic!("SEED={seed}\n{}", difference.what),
        }
    }
    eprintln!("SEED={seed}: {all:?}");
    assert!(all.succeeded * 10 > all.statements * 7, "too little succeeds to prove anything: {all:?}");
}
