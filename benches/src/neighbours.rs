//! (m) A heavy tenant in the server: eight connections that scan and sort, beside fifty with reads by key. What counts
//! is the 99th percentile of the fifty: alone, beside the heavy one without a limit, and beside it with
//! limits of ours. Each reader pauses between two transactions, so that what it waits for is the neighbour.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use pg_tenant_tests::{Cluster, Options, Session};

use crate::report::{Record, median, percentile};
use crate::world::APP;

const READERS: usize = 50;
const HEAVY: usize = 8;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// A scan, and a sort that does not fit into memory.
const WORK: &str = "select count(*), (array_agg(note order by md5(note)))[1] from rows";

/// Beside whom the readers read.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Nobody,
    Heavy,
    Limited,
}

pub(crate) async fn run(record: &mut Record) -> anyhow::Result<()> {
    let cluster = Cluster::start(Options::default().set("shared_buffers", "512MB").set("max_connections", "120"));
    let dba = cluster.superuser().await;
    dba.run(&format!(
        "create role {APP} login; create extension pg_tenant; grant tenant_user to {APP};
         select tenant.create('heavy'), count(tenant.create('t' || n)) from generate_series(1, {READERS}) n;
         create table points (tenant_id text not null, id int, amount int, primary key (tenant_id, id));
         insert into points select 't' || t, i, i from generate_series(1, {READERS}) t, generate_series(1, 1000) i;
         create table rows (tenant_id text not null, id int, note text);
         insert into rows select 'heavy', n, 'note ' || n from generate_series(1, 300000) n;
         select tenant.protect('points'), tenant.protect('rows'); grant select on points, rows to {APP}"
    ))
    .await;
    dba.run("vacuum analyze").await;
    let config = cluster.config("postgres", APP);
    let connect = || async { anyhow::Ok(Session::connect(&config).await) };
    let readers = try_join_all((0..READERS).map(|_| connect())).await?;
    let heavy = try_join_all((0..HEAVY).map(|_| connect())).await?;
    let mut seen: [Vec<f64>; 3] = Default::default();
    let mut done: [Vec<f64>; 3] = Default::default();
    for round in 0..=ROUNDS {
        for (nth, beside) in [Beside::Nobody, Beside::Heavy, Beside::Limited].into_iter().enumerate() {
            match beside {
                Beside::Limited => dba.run("select tenant.set_limit('heavy', 'concurrent_transactions', 1)").await,
                _ => dba.run("select tenant.drop_limit('heavy', 'concurrent_transactions')").await,
            }
            let (p99, scans) = one_round(&readers, if beside == Beside::Nobody { &[] } else { &heavy }).await?;
            if round > 0 {
                seen[nth].push(p99);
                done[nth].push(scans);
            }
        }
    }
    let ratio = |nth: usize| median(seen[nth].iter().zip(&seen[0]).map(|(beside, alone)| beside / alone).collect());
    record.add("times", "readers_p99_beside_heavy", "without_limits", ratio(1));
    record.add("times", "readers_p99_beside_heavy", "limited", ratio(2));
    for (nth, name) in ["alone", "beside_heavy", "beside_limited"].into_iter().enumerate() {
        record.add("ms", "readers_p99", name, median(seen[nth].clone()) * 1e3);
    }
    record.add(
        "share",
        "scans_of_a_limited_tenant",
        "without_limits",
        median(done[2].clone()) / median(done[1].clone()),
    );
    Ok(())
}

/// The 99th percentile of the readers, in seconds, and how many scans were done.
async fn one_round(readers: &[Session], heavy: &[Session]) -> anyhow::Result<(f64, f64)> {
    let start = Instant::now();
    let reads = readers.iter().enumerate().map(|(nth, session)| async move {
        tokio::time::sleep(PAUSE * nth as u32 / READERS as u32).await;
        let (mut latencies, mut n) = (Vec::new(), 0);
        while start.elapsed() < ROUND {
            let asked = Instant::now();
            let sql = format!(
                "begin; select tenant.enter('t{}'); select amount from points where id = {}; commit",
                nth + 1,
                n % 1000 + 1
            );
            session.batch_execute(&sql).await?;
            latencies.push(asked.elapsed().as_secs_f64());
            n += 7;
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(latencies)
    });
    let scans = heavy.iter().map(|session| async move {
        let mut scans = 0;
        while start.elapsed() < ROUND {
            let done = session.batch_execute(&format!("begin; select tenant.enter('heavy'); {WORK}; commit")).await;
            // Its turn did not come: it asks again, as an application does.
            match done {
                Ok(()) => scans += 1,
                Err(_) => session.run("rollback").await,
            }
        }
        anyhow::Ok(scans)
    });
    let (latencies, scans) = tokio::try_join!(try_join_all(reads), try_join_all(scans))?;
    let mut latencies: Vec<f64> = latencies.into_iter().flatten().collect();
    latencies.sort_by(f64::total_cmp);
    Ok((percentile(&latencies, 0.99), scans.into_iter().sum::<u32>().into()))
}
