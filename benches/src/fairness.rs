//! (g) A greedy tenant: sixty-four tasks of one tenant beside fifty tenants with one task each, on a pool of sixteen.
//! What counts is the 99th percentile of the fifty, with the greedy one and without. The same over plain
//! deadpool-postgres, whose queue knows no tenants. Each call takes a connection for five milliseconds, asleep in the
//! server, so that the pool is short and not the processor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};
use pg_tenant_client::TenantPool;
use uuid::Uuid;

use crate::client::pools;
use crate::report::{Record, median, percentile};
use crate::world::{APP, World, key_of, tenant_of};

const VICTIMS: i64 = 50;
const GREEDY: i64 = 99;
const GREEDY_TASKS: usize = 64;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(500);

const OURS: &str = "select amount from points, pg_sleep(0.005) where id = $1";
const STOCK: &str = "select amount from stock.points, pg_sleep(0.005) where id = $1";

/// Who shares a pool.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guests {
    Victims,
    Both,
    Greedy,
}

/// A call of one tenant.
trait Side: Send + Sync {
    fn call(&self, tenant: i64, n: i64) -> BoxFuture<'_, anyhow::Result<i64>>;
}

impl Side for TenantPool {
    fn call(&self, tenant: i64, n: i64) -> BoxFuture<'_, anyhow::Result<i64>> {
        async move { Ok(self.tenant(tenant_of(tenant)).query_one(OURS, &[&key_of(tenant, n)]).await?.try_get(0)?) }
            .boxed()
    }
}

impl Side for Pool {
    fn call(&self, tenant: i64, n: i64) -> BoxFuture<'_, anyhow::Result<i64>> {
        async move {
            let id: Uuid = tenant_of(tenant);
            let mut client = self.get().await?;
            let tx = client.transaction().await?;
            let set = tx.prepare_cached("select set_config('app.tenant', $1, true)").await?;
            tx.query_one(&set, &[&id.to_string()]).await?;
            let statement = tx.prepare_cached(STOCK).await?;
            let amount = tx.query_one(&statement, &[&key_of(tenant, n)]).await?.try_get(0)?;
            tx.commit().await?;
            Ok(amount)
        }
        .boxed()
    }
}

/// What one round saw.
#[derive(Default)]
struct Round {
    victims_p99: f64,
    victims_per_second: f64,
    greedy_per_second: f64,
}

pub(crate) async fn run(world: &World, record: &mut Record) -> anyhow::Result<()> {
    let config = world.config(APP);
    let sides: [(&str, Arc<dyn Side>); 2] =
        [("pg_tenant", Arc::new(pools::ours(&config)?)), ("deadpool", Arc::new(pools::deadpool(&config)?))];
    let mut greedy_alone = Vec::new();
    let mut seen: Vec<[Vec<Round>; 3]> = sides.iter().map(|_| Default::default()).collect();
    for round in 0..=ROUNDS {
        for nth in 0..sides.len() {
            let who = (nth + round) % sides.len();
            for (at, guests) in [Guests::Victims, Guests::Both, Guests::Greedy].into_iter().enumerate() {
                let done = one_round(&sides[who].1, guests).await?;
                if round > 0 {
                    seen[who][at].push(done);
                }
            }
        }
    }
    for ((name, _), [alone, beside, greedy]) in sides.iter().zip(&seen) {
        let ratio = alone.iter().zip(beside).map(|(alone, beside)| beside.victims_p99 / alone.victims_p99);
        record.add("times", "victims_p99_beside_greedy", name, median(ratio.collect()));
        record.add("ms", "victims_p99_alone", name, median(alone.iter().map(|r| r.victims_p99 * 1e3).collect()));
        record.add("ms", "victims_p99_beside", name, median(beside.iter().map(|r| r.victims_p99 * 1e3).collect()));
        let share = beside.iter().map(|r| r.greedy_per_second / (r.greedy_per_second + r.victims_per_second));
        record.add("share", "greedy_of_a_full_pool", name, median(share.collect()));
        greedy_alone.push(median(greedy.iter().map(|r| r.greedy_per_second).collect()));
    }
    record.ratio("greedy_alone", "deadpool", greedy_alone[0] / greedy_alone[1]);
    Ok(())
}

async fn one_round(side: &Arc<dyn Side>, guests: Guests) -> anyhow::Result<Round> {
    let start = Instant::now();
    let task = |tenant: i64, first: i64| {
        let side = Arc::clone(side);
        tokio::spawn(async move {
            let (mut latencies, mut n) = (Vec::new(), first);
            while start.elapsed() < ROUND {
                let asked = Instant::now();
                let amount = side.call(tenant, n).await?;
                latencies.push(asked.elapsed().as_secs_f64());
                anyhow::ensure!(amount == key_of(tenant, n) % 1000, "{amount} of tenant {tenant}, call {n}");
                n += 1;
            }
            anyhow::Ok(latencies)
        })
    };
    let victims = (0..VICTIMS).filter(|_| guests != Guests::Greedy).map(|tenant| task(tenant, tenant));
    let greedy = (0..GREEDY_TASKS as i64).filter(|_| guests != Guests::Victims).map(|n| task(GREEDY, n * 31));
    let (victims, greedy): (Vec<_>, Vec<_>) = (victims.collect(), greedy.collect());
    let mut latencies = Vec::new();
    for done in try_join_all(victims).await? {
        latencies.extend(done?);
    }
    let mut greedy_calls = 0;
    for done in try_join_all(greedy).await? {
        greedy_calls += done?.len();
    }
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_by(f64::total_cmp);
    Ok(Round {
        victims_p99: percentile(&latencies, 0.99),
        victims_per_second: latencies.len() as f64 / seconds,
        greedy_per_second: greedy_calls as f64 / seconds,
    })
}
