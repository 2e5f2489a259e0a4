//! (a) Reads by primary key, prepared: a bound role, and a transaction that has entered, beside the same reads with a
//! predicate by hand. One read at a time over a socket, as pgbench does, and many in flight, where the server decides.

use std::time::Instant;

use futures_util::future::try_join_all;
use pg_tenant_tests::Session;
use tokio_postgres::Statement;

use crate::report::Record;
use crate::world::{APP, BOUND, BYPASS, World, key, tenant};

const READS: i64 = 2000;
const ROUNDS: usize = 31;

/// One session and its prepared statement.
struct Reader {
    session: Session,
    statement: Statement,
    by_hand: bool,
}

impl Reader {
    async fn new(session: Session, by_hand: bool) -> anyhow::Result<Reader> {
        let statement = match by_hand {
            true => {
                session.run("set row_security = off").await;
                session.prepare("select id, amount, note from points where tenant_id = $1 and id = $2").await?
            }
            false => session.prepare("select id, amount, note from points where id = $1").await?,
        };
        Ok(Reader { session, statement, by_hand })
    }

    async fn read(&self, n: i64) -> Result<i64, tokio_postgres::Error> {
        let (tenant, key) = (tenant(), key(n));
        let row = match self.by_hand {
            true => self.session.query_one(&self.statement, &[&tenant, &key]).await?,
            false => self.session.query_one(&self.statement, &[&key]).await?,
        };
        Ok(row.get::<_, i64>(0) + row.get::<_, i64>(1))
    }

    /// Seconds, and the sum of what was read.
    async fn round(&self, in_flight: i64) -> anyhow::Result<(f64, i64)> {
        let (start, mut sum) = (Instant::now(), 0);
        for first in (0..READS).step_by(in_flight as usize) {
            sum += try_join_all((first..first + in_flight).map(|n| self.read(n))).await?.iter().sum::<i64>();
        }
        Ok((start.elapsed().as_secs_f64(), sum))
    }
}

pub(crate) async fn run(world: &World, record: &mut Record) -> anyhow::Result<()> {
    let by_hand = Reader::new(world.session(BYPASS).await, true).await?;
    let by_hand_begun = Reader::new(world.session(BYPASS).await, true).await?;
    let bound = Reader::new(world.session(BOUND).await, false).await?;
    let entered = Reader::new(world.session(APP).await, false).await?;
    for (name, in_flight) in [("point_read", 1), ("point_read_pipelined", 50)] {
        let (mut of_bound, mut of_entered) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            entered.session.batch_execute(&format!("begin; select tenant.enter('{}')", tenant())).await?;
            by_hand_begun.session.batch_execute("begin").await?;
            // Who goes first alternates; the first round warms up.
            let mut times = Vec::new();
            let mut turns = [&by_hand, &bound, &by_hand_begun, &entered];
            turns.rotate_left(round % 4);
            for reader in turns {
                times.push(reader.round(in_flight).await?);
            }
            times.rotate_right(round % 4);
            entered.session.batch_execute("commit").await?;
            by_hand_begun.session.batch_execute("commit").await?;
            anyhow::ensure!(times.iter().all(|(_, sum)| *sum == times[0].1), "{name}: different rows: {times:?}");
            if round > 0 {
                of_bound.push((times[1].0, times[0].0));
                of_entered.push((times[3].0, times[2].0));
            }
        }
        record.rounds(&format!("{name}_bound_role"), "bypassrls_by_hand", of_bound);
        record.rounds(&format!("{name}_entered"), "bypassrls_by_hand", of_entered);
    }
    Ok(())
}
