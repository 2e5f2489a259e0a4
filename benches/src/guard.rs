//! (c) What the library's hooks cost a statement: prepared reads by primary key on two servers of the same binaries and
//! the same settings, one with pg_tenant preloaded and its guards armed, one that does not preload it.
//!
//! The peer's policies are those of `tenant.protect` and read the tenant by the same function, so that what differs is
//! the guard; `whole_…` is beside policies with a literal, the cheapest there are, and so counts reading the tenant
//! too. Throughput is by the clock, one read at a time as pgbench does, and with fifty in flight, where nothing but the
//! backend decides. Both backends are kept on one processor, and give way to a new pair before long: where a process
//! and its memory happen to lie makes more of a difference than what is measured. Microseconds are those that the
//! backend had of the processor, in the tenth of the rounds that was disturbed least.

use std::time::Instant;

use futures_util::future::try_join_all;
use pg_tenant_tests::Session;
use tokio_postgres::Statement;

use crate::processor::Processor;
use crate::report::{Record, percentile};
use crate::world::{APP, BOUND, World, key, tenant, without_library};

const READS: i64 = 500;
/// Pairs of backends, and rounds of each.
const PAIRS: usize = 25;
const ROUNDS: usize = 8;

/// A name, who reads, from which table, and from which the peer does.
const CASES: [(&str, &str, &str, &str); 4] = [
    ("bound_role", BOUND, "points", "points"),
    ("entered", APP, "points", "points"),
    ("unprotected_table", APP, "plain", "plain"),
    ("whole_bound_role", BOUND, "points", "fixed"),
];

/// One session, its prepared statement, its backend's processor.
struct Reader {
    session: Session,
    statement: Statement,
    processor: Processor,
}

/// Of a round: seconds by the clock, seconds of the processor, and the sum of what was read.
struct Cost {
    clock: f64,
    processor: f64,
    sum: i64,
}

impl Reader {
    async fn new(session: Session, table: &str) -> anyhow::Result<Reader> {
        let statement = session.prepare(&format!("select id, amount, note from {table} where id = $1")).await?;
        let processor = Processor::of(&session).await?;
        processor.keep()?;
        Ok(Reader { session, statement, processor })
    }

    async fn round(&self, in_flight: usize) -> anyhow::Result<Cost> {
        let (start, used, mut sum) = (Instant::now(), self.processor.used()?, 0);
        for first in (0..READS).step_by(in_flight) {
            sum += try_join_all((first..).take(in_flight).map(|n| self.read(n))).await?.iter().sum::<i64>();
        }
        Ok(Cost { clock: start.elapsed().as_secs_f64(), processor: self.processor.used()? - used, sum })
    }

    async fn read(&self, n: i64) -> Result<i64, tokio_postgres::Error> {
        let row = self.session.query_one(&self.statement, &[&key(n)]).await?;
        Ok(row.get::<_, i64>(0) + row.get::<_, i64>(1))
    }
}

/// One kind of read, armed and not.
struct Case {
    name: &'static str,
    in_flight: usize,
    armed: Reader,
    peer: Reader,
}

impl Case {
    /// A round of each. Who goes first alternates.
    async fn round(&self, nth: usize) -> anyhow::Result<(Cost, Cost)> {
        if self.name == "entered" {
            self.armed.session.batch_execute(&format!("begin; select tenant.enter('{}')", tenant())).await?;
            self.peer.session.batch_execute("begin").await?;
        }
        let (own, other) = if nth.is_multiple_of(2) {
            (self.armed.round(self.in_flight).await?, self.peer.round(self.in_flight).await?)
        } else {
            let other = self.peer.round(self.in_flight).await?;
            (self.armed.round(self.in_flight).await?, other)
        };
        if self.name == "entered" {
            self.armed.session.batch_execute("commit").await?;
            self.peer.session.batch_execute("commit").await?;
        }
        anyhow::ensure!(own.sum == other.sum, "guard {}: {} read, its peer read {}", self.name, own.sum, other.sum);
        Ok((own, other))
    }
}

pub(crate) async fn run(world: &World, record: &mut Record) -> anyhow::Result<()> {
    let bare = without_library().await;
    for (name, role, table, peers) in CASES {
        for (in_flight, suffix) in [(1, ""), (50, "_pipelined")] {
            let (mut ratios, mut costs, mut peer_costs) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..PAIRS {
                let armed = Reader::new(world.session(role).await, table).await?;
                let peer = Reader::new(Session::connect(&bare.config("postgres", role)).await, peers).await?;
                let case = Case { name, in_flight, armed, peer };
                case.round(0).await?; // warms up
                for nth in 0..ROUNDS {
                    let (own, other) = case.round(nth).await?;
                    ratios.push((own.clock, other.clock));
                    costs.push(own.processor * 1e6 / READS as f64);
                    peer_costs.push(other.processor * 1e6 / READS as f64);
                }
            }
            record.rounds(&format!("guard_{name}{suffix}"), "library_not_loaded", ratios);
            record.add("us", "guard", &format!("{name}{suffix}"), undisturbed(costs) - undisturbed(peer_costs));
        }
    }
    Ok(())
}

/// The tenth percentile.
fn undisturbed(mut costs: Vec<f64>) -> f64 {
    costs.sort_by(f64::total_cmp);
    percentile(&costs, 0.1)
}
