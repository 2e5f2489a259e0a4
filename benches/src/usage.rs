//! (j) What is consumed of a meter by sixty-four sessions: all of one tenant, beside each of its own, and beside 64
//! that update one plain row. Each transaction consumes 1, works for two milliseconds or not at all, and commits, far
//! from the limit.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use pg_tenant_tests::{Cluster, Options, Session};

use crate::report::{Record, median};
use crate::world::APP;

const SESSIONS: usize = 64;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(500);

pub(crate) async fn run(record: &mut Record) -> anyhow::Result<()> {
    let cluster = Cluster::start(Options::default().set("max_connections", "100").set("max_wal_size", "4GB"));
    let dba = cluster.superuser().await;
    dba.run(&format!(
        "create role {APP} login; create extension pg_tenant; grant tenant_user to {APP};
         select tenant.create('t' || i) from generate_series(0, {SESSIONS} - 1) i;
         select tenant.define_meter('calls', 'calls', hard_limit => 1000000000);
         create table plain (id int primary key, used bigint); insert into plain values (1, 0);
         grant select, update on plain to {APP}"
    ))
    .await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(Session::connect(&cluster.config("postgres", APP)).await);
    }
    let mut made = [0_u64; 3];
    for (workload, work) in [("usage", ""), ("usage_and_2_ms", "select pg_sleep(0.002);")] {
        let sql = |side: usize, at: usize| match side {
            0 => format!("begin; select tenant.enter('t0'); select used from tenant.consume('calls'); {work} commit"),
            1 => {
                format!("begin; select tenant.enter('t{at}'); select used from tenant.consume('calls'); {work} commit")
            }
            _ => format!(
                "begin; select tenant.enter('t0'); update plain set used = used + 1 where id = 1; {work} commit"
            ),
        };
        let mut each: [Vec<f64>; 3] = Default::default();
        for round in 0..=ROUNDS {
            for side in 0..3 {
                let began = Instant::now();
                let all = sessions.iter().enumerate().map(|(at, session)| repeat(session, sql(side, at)));
                let count: u64 = try_join_all(all).await?.iter().sum();
                made[side] += count;
                if round > 0 {
                    each[side].push(count as f64 / began.elapsed().as_secs_f64());
                }
            }
        }
        let [one, many, plain] = each.map(median);
        record.ratio(workload, "64_tenants", one / many);
        record.ratio(workload, "plain_update_of_one_row", one / plain);
    }
    let counted = dba.value("select sum(used)::bigint from tenant.usage_state").await;
    anyhow::ensure!(counted == Some((made[0] + made[1]).to_string()), "{counted:?} counted of {made:?}");
    let updated = dba.value("select used from plain").await;
    anyhow::ensure!(updated == Some(made[2].to_string()), "{updated:?} updated of {made:?}");
    Ok(())
}

/// Transactions until the round is over.
async fn repeat(session: &Session, sql: String) -> anyhow::Result<u64> {
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < ROUND {
        session.batch_execute(&sql).await?;
        count += 1;
    }
    Ok(count)
}
