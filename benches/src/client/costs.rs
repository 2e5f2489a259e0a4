//! What a call costs the program that makes it: processor time, of all its threads, and allocations. All runs on one
//! thread, the drivers' tasks too, straight to the server, one call after the other.

use std::sync::Arc;
use std::thread;

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};

use super::measure::{Expected, check};
use super::peer::Peer;
use super::{Named, WORKLOADS, Workload, by_hand, config, peers};
use crate::report::{Record, median};
use crate::world::tenant;

const ROUNDS: usize = 21;
/// Calls of one peer in one round.
const CALLS: usize = 400;

pub(crate) async fn run(
    port: u16,
    keys: &Arc<Vec<i64>>,
    expected: &Expected,
    record: &mut Record,
) -> anyhow::Result<()> {
    for workload in &WORKLOADS {
        let (keys, expected) = (Arc::clone(keys), Arc::clone(expected));
        // A thread of its own: a runtime must not be entered on one that runs another.
        let all = thread::spawn(move || on_one_thread(port, workload, &keys, &expected)).join();
        for costs in all.expect("the thread has not panicked")? {
            costs.record(workload, record);
        }
    }
    Ok(())
}

/// Of one peer.
struct Costs {
    peer: &'static str,
    /// Microseconds a call, of each round.
    processor: Vec<f64>,
    /// A call's.
    allocations: f64,
    allocated_bytes: f64,
    /// The median of the rounds' ratios to each peer.
    ratios: Vec<(&'static str, f64)>,
}

fn on_one_thread(
    port: u16,
    workload: &'static Workload,
    keys: &[i64],
    expected: &Expected,
) -> anyhow::Result<Vec<Costs>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    let mut peers: Vec<Named> = peers(port, workload)?;
    let unpooled = runtime.block_on(by_hand::SameWireUnpooled::new(&config(port), tenant()))?;
    peers.push(("same_wire_unpooled", Arc::new(unpooled)));
    let mut all: Vec<Costs> = peers
        .iter()
        .map(|(peer, _)| Costs { peer, processor: vec![], allocations: 0.0, allocated_bytes: 0.0, ratios: vec![] })
        .collect();
    let call = |runtime: &Runtime, peer: &dyn Peer| -> anyhow::Result<()> {
        runtime.block_on(async {
            for n in 0..CALLS {
                let wanted: Vec<i64> = (n..n + workload.statements).map(|n| keys[n % keys.len()]).collect();
                check(&wanted, &peer.read(&wanted).await?, expected)?;
            }
            Ok(())
        })
    };
    for round in 0..=ROUNDS {
        for nth in 0..peers.len() {
            let who = (nth + round) % peers.len();
            let before = used();
            call(&runtime, &*peers[who].1)?;
            if round > 0 {
                all[who].processor.push((used() - before) / CALLS as f64);
            }
        }
    }
    for ((_, peer), costs) in peers.iter().zip(&mut all) {
        let mut done = Ok(());
        let counted = allocation_counter::measure(|| done = call(&runtime, &**peer));
        done?;
        costs.allocations = counted.count_total as f64 / CALLS as f64;
        costs.allocated_bytes = counted.bytes_total as f64 / CALLS as f64;
    }
    let rounds: Vec<(&'static str, Vec<f64>)> = all.iter().map(|costs| (costs.peer, costs.processor.clone())).collect();
    for costs in &mut all {
        let ratio = |other: &[f64]| median(costs.processor.iter().zip(other).map(|(own, other)| other / own).collect());
        costs.ratios = rounds
            .iter()
            .filter(|(peer, _)| against(workload, costs.peer, peer))
            .map(|(p, o)| (*p, ratio(o)))
            .collect();
    }
    Ok(all)
}

/// Whether one of our shapes is compared with this peer: over sqlx with sqlx, one flight with one that is sent by hand.
fn against(workload: &Workload, ours: &str, peer: &str) -> bool {
    match (workload.statements, ours) {
        (_, "pg_tenant_sqlx") => peer == "sqlx",
        (1, "pg_tenant") | (_, "pg_tenant_pipeline") => {
            ["same_wire", "same_wire_unpooled", "stock_pipelined"].contains(&peer)
        }
        _ => false,
    }
}

impl Costs {
    fn record(&self, workload: &Workload, record: &mut Record) {
        record.add("processor_us", workload.name, self.peer, median(self.processor.clone()));
        record.add("allocations", workload.name, self.peer, self.allocations);
        record.add("allocated_bytes", workload.name, self.peer, self.allocated_bytes);
        let shape = self.peer.strip_prefix("pg_tenant").unwrap_or_default();
        for (peer, ratio) in &self.ratios {
            record.ratio(&format!("{}{shape}_processor", workload.name), peer, *ratio);
        }
    }
}

/// Microseconds of processor time that this program has had.
fn used() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
