//! (a) Reads by primary key, prepared: a bound role, and a transaction that has entered, beside the same reads with a
//! predicate by hand. One read at a time over a socket, as pgbench does, and many in flight, where the server decides.
//! The backends are kept on one processor and give way to others before long, as in `guard`.

use std::time::Instant;

use futures_util::future::try_join_all;
use pg_tenant_tests::Session;
use tokio_postgres::Statement;

use crate::processor::Processor;
use crate::report::Record;
use crate::world::{APP, BOUND, BYPASS, World, key, tenant};

const READS: i64 = 500;
/// How often there are new backends, and rounds of each.
const BACKENDS: usize = 25;
const ROUNDS: usize = 8;

/// One session and its prepared statement.
struct Reader {
    session: Session,
    statement: Statement,
    by_hand: bool,
    processor: Processor,
}

impl Reader {
    async fn new(session: Session, by_hand: bool) -> anyhow::Result<Reader> {
        let processor = Processor::of(&session).await?;
        processor.keep()?;
        let statement = match by_hand {
            true => {
                session.run("set row_security = off").await;
                session.prepare("select id, amount, note from points where tenant_id = $1 and id = $2").await?
            }
            false => session.prepare("select id, amount, note from points where id = $1").await?,
        };
        Ok(Reader { session, statement, by_hand, processor })
    }

    async fn read(&self, n: i64) -> Result<i64, tokio_postgres::Error> {
        let (tenant, key) = (tenant(), key(n));
        let row = match self.by_hand {
            true => self.session.query_one(&self.statement, &[&tenant, &key]).await?,
            false => self.session.query_one(&self.statement, &[&key]).await?,
        };
        Ok(row.get::<_, i64>(0) + row.get::<_, i64>(1))
    }

    /// Seconds, seconds of the processor, and the sum of what was read.
    async fn round(&self, in_flight: i64) -> anyhow::Result<(f64, f64, i64)> {
        let (start, used, mut sum) = (Instant::now(), self.processor.used()?, 0);
        for first in (0..READS).step_by(in_flight as usize) {
            sum += try_join_all((first..first + in_flight).map(|n| self.read(n))).await?.iter().sum::<i64>();
        }
        Ok((start.elapsed().as_secs_f64(), self.processor.used()? - used, sum))
    }
}

/// A reader of each kind. Those that begin have a peer that does.
struct Readers {
    by_hand: Reader,
    bound: Reader,
    by_hand_begun: Reader,
    entered: Reader,
}

impl Readers {
    async fn new(world: &World) -> anyhow::Result<Readers> {
        Ok(Readers {
            by_hand: Reader::new(world.session(BYPASS).await, true).await?,
            bound: Reader::new(world.session(BOUND).await, false).await?,
            by_hand_begun: Reader::new(world.session(BYPASS).await, true).await?,
            entered: Reader::new(world.session(APP).await, false).await?,
        })
    }

    /// The seconds of each, elapsed and of the processor, in the order above. Who goes first moves on.
    async fn round(&self, nth: usize, in_flight: i64) -> anyhow::Result<[(f64, f64); 4]> {
        self.entered.session.batch_execute(&format!("begin; select tenant.enter('{}')", tenant())).await?;
        self.by_hand_begun.session.batch_execute("begin").await?;
        let readers = [&self.by_hand, &self.bound, &self.by_hand_begun, &self.entered];
        let mut times = [(0.0, 0.0, 0); 4];
        for turn in 0..4 {
            let who = (turn + nth) % 4;
            times[who] = readers[who].round(in_flight).await?;
        }
        self.entered.session.batch_execute("commit").await?;
        self.by_hand_begun.session.batch_execute("commit").await?;
        anyhow::ensure!(times.iter().all(|(.., sum)| *sum == times[0].2), "different rows: {times:?}");
        Ok(times.map(|(seconds, used, _)| (seconds, used)))
    }
}

pub(crate) async fn run(world: &World, record: &mut Record) -> anyhow::Result<()> {
    for (name, in_flight) in [("point_read", 1), ("point_read_pipelined", 50)] {
        let (mut of_bound, mut of_entered) = (Vec::new(), Vec::new());
        let (mut of_bound_used, mut of_entered_used) = (Vec::new(), Vec::new());
        for _ in 0..BACKENDS {
            let readers = Readers::new(world).await?;
            readers.round(0, in_flight).await?; // warms up
            for nth in 0..ROUNDS {
                let [by_hand, bound, by_hand_begun, entered] = readers.round(nth, in_flight).await?;
                of_bound.push((bound.0, by_hand.0));
                of_entered.push((entered.0, by_hand_begun.0));
                of_bound_used.push((bound.1, by_hand.1));
                of_entered_used.push((entered.1, by_hand_begun.1));
            }
        }
        record.rounds(&format!("{name}_bound_role"), "bypassrls_by_hand", of_bound);
        record.rounds(&format!("{name}_entered"), "bypassrls_by_hand", of_entered);
        record.rounds(&format!("{name}_bound_role_processor"), "bypassrls_by_hand", of_bound_used);
        record.rounds(&format!("{name}_entered_processor"), "bypassrls_by_hand", of_entered_used);
    }
    Ok(())
}
