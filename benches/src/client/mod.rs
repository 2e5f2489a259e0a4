//! (f) The client beside what applications do today: the same data, the same server, the same size of pool, in turns,
//! at three distances from the server, with few tasks and with many. All must return the same rows.

mod by_hand; // the peers that pipeline by hand
mod costs; // processor time and allocations of a call
mod delay; // a longer way to the server
mod idioms; // the peers
mod measure; // one peer, some tasks, for a while
mod ours; // the client's shapes
mod peer; // what all of them do
pub(crate) mod pools; // all of one size

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::{Config, NoTls};

use crate::processor::Apart;
use crate::report::{Cell, Record, median, percentile};
use crate::world::{APP, ROWS, World, key, tenant};
use delay::Delay;
use measure::{Expected, Round, measure};
use peer::{BARE, Peer, Point};

/// Added to the round trip.
const DISTANCES: [Duration; 3] = [Duration::ZERO, Duration::from_micros(500), Duration::from_millis(2)];
const TASKS: [usize; 4] = [1, 4, 16, 64];
const ROUNDS: usize = 7;
/// How long one round of one peer takes.
const ROUND: Duration = Duration::from_millis(100);

/// How many statements a transaction has.
struct Workload {
    name: &'static str,
    statements: usize,
}

const WORKLOADS: [Workload; 2] =
    [Workload { name: "one_statement", statements: 1 }, Workload { name: "five_statements", statements: 5 }];

type Named = (&'static str, Arc<dyn Peer>);

/// Whom our shapes are compared with.
const PEERS: [&str; 6] = ["same_wire", "stock_pipelined", "deadpool", "sqlx", "diesel_async", "bare"];

pub(crate) async fn run(world: &World, record: &mut Record) -> anyhow::Result<()> {
    let keys = Arc::new((0..ROWS).map(key).collect::<Vec<i64>>());
    let expected = expected(world).await?;
    let server = SocketAddr::from(([127, 0, 0, 1], world.port()));
    for distance in DISTANCES {
        // With nothing to add, straight to the server, on the same machine.
        let _apart = match distance.is_zero() {
            true => None,
            false => Apart::put(&world.session(APP).await).await?,
        };
        let delay = (!distance.is_zero()).then(|| Delay::start(server, distance)).transpose()?;
        let port = delay.as_ref().map_or(world.port(), Delay::port);
        record.add("us", "ping", &format!("rtt{}ms", ms(distance)), ping(&config(port)).await?);
        for workload in &WORKLOADS {
            let peers = peers(port, workload)?;
            if let Some(delay) = &delay
                && distance == DISTANCES[2]
            {
                count_round_trips(record, delay, workload, &peers, &keys, &expected).await?;
            }
            for tasks in TASKS {
                let run = Run { workload, distance, tasks, keys: &keys, expected: &expected };
                run.compare(&peers, record).await?;
            }
        }
    }
    Ok(())
}

/// What a call costs the program that makes it.
pub(crate) async fn costs(world: &World, record: &mut Record) -> anyhow::Result<()> {
    let keys = Arc::new((0..ROWS).map(key).collect::<Vec<i64>>());
    costs::run(world.port(), &keys, &expected(world).await?, record).await
}

fn config(port: u16) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).dbname("postgres").user(APP);
    config
}

/// Ours first, each by name. Each has a pool of its own.
fn peers(port: u16, workload: &Workload) -> anyhow::Result<Vec<Named>> {
    let (config, url) = (config(port), format!("postgres://{APP}@127.0.0.1:{port}/postgres"));
    let (ours, ours_sqlx) = (pools::ours(&config)?, pools::ours_over_sqlx(&url)?);
    let mut peers: Vec<Named> = if workload.statements == 1 {
        vec![
            ("pg_tenant", Arc::new(ours::OneFlight(ours.clone(), tenant()))),
            ("pg_tenant_begin_commit", Arc::new(ours::Transaction(ours, tenant()))),
        ]
    } else {
        vec![
            ("pg_tenant", Arc::new(ours::Transaction(ours.clone(), tenant()))),
            ("pg_tenant_then_commit", Arc::new(ours::ThenCommit(ours.clone(), tenant()))),
            ("pg_tenant_pipeline", Arc::new(ours::Pipelined(ours, tenant()))),
        ]
    };
    peers.push(("pg_tenant_sqlx", Arc::new(ours::OverSqlx(ours_sqlx, tenant()))));
    peers.push(("same_wire", Arc::new(by_hand::SameWire::new(&config, tenant())?)));
    peers.push(("stock_pipelined", Arc::new(by_hand::StockPipelined::new(&config, tenant())?)));
    peers.push(("deadpool", Arc::new(idioms::Deadpool::new(&config, tenant())?)));
    peers.push(("sqlx", Arc::new(idioms::Sqlx::new(&url, tenant())?)));
    peers.push(("diesel_async", Arc::new(idioms::Diesel::new(&url, tenant())?)));
    peers.push(("bare", Arc::new(idioms::Bare::new(&config, tenant())?)));
    Ok(peers)
}

/// Every key's row, read without pool, tenant or policy.
async fn expected(world: &World) -> anyhow::Result<Expected> {
    let sql = BARE.replace("id = $2", "$2").replace(" and $2", "");
    let rows = world.session(APP).await.query(&sql, &[&tenant()]).await?;
    let points = rows.into_iter().map(Point::try_from).collect::<Result<Vec<_>, _>>()?;
    anyhow::ensure!(points.len() as i64 == ROWS, "{} points", points.len());
    Ok(Arc::new(points.into_iter().map(|point| (point.id, point)).collect()))
}

/// Microseconds of an empty query there and back.
async fn ping(config: &Config) -> anyhow::Result<f64> {
    let (client, connection) = config.connect(NoTls).await?;
    let connection = tokio::spawn(connection);
    let mut times = Vec::new();
    for _ in 0..200 {
        let asked = Instant::now();
        client.batch_execute("").await?;
        times.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    drop(client);
    connection.await??;
    Ok(median(times))
}

/// What a call costs once its connection and its statements are there; lending and taking back included.
async fn count_round_trips(
    record: &mut Record,
    delay: &Delay,
    workload: &Workload,
    peers: &[Named],
    keys: &Arc<Vec<i64>>,
    expected: &Expected,
) -> anyhow::Result<()> {
    for (name, peer) in peers {
        measure(peer, 1, workload.statements, keys, expected, ROUND).await?;
        let before = delay.round_trips();
        let calls = measure(peer, 1, workload.statements, keys, expected, ROUND).await?.latencies.len();
        record.add("round_trips", workload.name, name, (delay.round_trips() - before) as f64 / calls as f64);
    }
    Ok(())
}

fn ms(distance: Duration) -> f64 {
    distance.as_secs_f64() * 1e3
}

/// What is the same for all peers.
struct Run<'a> {
    workload: &'a Workload,
    distance: Duration,
    tasks: usize,
    keys: &'a Arc<Vec<i64>>,
    expected: &'a Expected,
}

impl Run<'_> {
    /// The peers in turns, who goes first moves on with every round; the first round warms up.
    async fn compare(&self, peers: &[Named], record: &mut Record) -> anyhow::Result<()> {
        let mut rounds: Vec<Vec<Round>> = peers.iter().map(|_| Vec::new()).collect();
        for round in 0..=ROUNDS {
            for nth in 0..peers.len() {
                let who = (nth + round) % peers.len();
                let peer = &peers[who].1;
                let done = measure(peer, self.tasks, self.workload.statements, self.keys, self.expected, ROUND).await?;
                if round > 0 {
                    rounds[who].push(done);
                }
            }
        }
        self.ratios(peers, &rounds, record);
        for ((name, _), rounds) in peers.iter().zip(rounds) {
            let per_second = median(rounds.iter().map(|round| round.per_second).collect());
            let mut latencies: Vec<f64> = rounds.into_iter().flat_map(|round| round.latencies).collect();
            latencies.sort_by(f64::total_cmp);
            record.cell(Cell {
                workload: self.workload.name.into(),
                peer: (*name).into(),
                rtt_ms: ms(self.distance),
                tasks: self.tasks,
                per_second,
                p50_us: percentile(&latencies, 0.5) * 1e6,
                p99_us: percentile(&latencies, 0.99) * 1e6,
            });
        }
        Ok(())
    }

    /// Each of our shapes beside each peer; over sqlx beside sqlx alone.
    fn ratios(&self, peers: &[Named], rounds: &[Vec<Round>], record: &mut Record) {
        let named = || peers.iter().map(|(name, _)| *name).zip(rounds);
        let suffix = format!("rtt{}ms_tasks{}", ms(self.distance), self.tasks);
        for (shape, own) in named() {
            let Some(shape) = shape.strip_prefix("pg_tenant") else { continue };
            let workload = format!("{}{shape}", self.workload.name);
            for (peer, other) in named().filter(|(name, _)| PEERS.contains(name)) {
                if shape == "_sqlx" && peer != "sqlx" {
                    continue;
                }
                let ratio = own.iter().zip(other).map(|(own, other)| own.per_second / other.per_second);
                record.ratio(&format!("{workload}_{suffix}"), peer, median(ratio.collect()));
            }
            if self.tasks == 1
                && let Some((_, bare)) = named().find(|(name, _)| *name == "bare")
            {
                let half = |round: &Round| median(round.latencies.clone());
                let ratio = own.iter().zip(bare).map(|(own, bare)| half(bare) / half(own));
                record.ratio(
                    &format!("{workload}_latency_rtt{}ms", ms(self.distance)),
                    "bare",
                    median(ratio.collect()),
                );
            }
        }
    }
}
