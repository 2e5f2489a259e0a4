//! (l) What statistics cost a transaction that reads a row, beside the same transaction without them and beside
//! pg_stat_statements, on one server: each is turned on in turns. A reader polls ten times a second all the while.

use std::time::Duration;

use pg_tenant_tests::{Cluster, Options, Session};
use tokio_postgres::Statement;

use crate::processor::Processor;
use crate::report::{Record, median};
use crate::world::APP;

const TRANSACTIONS: usize = 1500;
const ROUNDS: usize = 31;

/// What is on: statistics, pg_stat_statements.
const STATES: [(bool, bool); 3] = [(false, false), (true, false), (false, true)];

struct Reader {
    session: Session,
    read: Statement,
    processor: Processor,
}

impl Reader {
    /// Seconds of the processor that the transactions take.
    async fn round(&self) -> anyhow::Result<f64> {
        let before = self.processor.used()?;
        for n in 0..TRANSACTIONS {
            self.session.batch_execute("begin; select tenant.enter('acme')").await?;
            let row = self.session.query_one(&self.read, &[&(n as i32 % 1000)]).await?;
            anyhow::ensure!(row.get::<_, i32>(0) == n as i32 % 1000, "another row");
            self.session.batch_execute("commit").await?;
        }
        Ok(self.processor.used()? - before)
    }
}

async fn set(dba: &Session, reader: &Session, (statistics, statements): (bool, bool)) -> anyhow::Result<()> {
    let word = |on: bool, yes, no| if on { yes } else { no };
    dba.run(&format!("alter system set pg_tenant.statistics = {}", word(statistics, "on", "off"))).await;
    dba.run(&format!("alter system set pg_stat_statements.track = {}", word(statements, "top", "none"))).await;
    dba.run("select pg_reload_conf()").await;
    let expected = format!("{} {}", word(statistics, "on", "off"), word(statements, "top", "none"));
    let sql = "select current_setting('pg_tenant.statistics') || ' ' || current_setting('pg_stat_statements.track')";
    while reader.value(sql).await.as_deref() != Some(&*expected) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

pub(crate) async fn run(record: &mut Record) -> anyhow::Result<()> {
    let both = "pg_tenant, pg_stat_statements";
    let cluster = Cluster::start(Options::default().set("shared_preload_libraries", both));
    let dba = cluster.superuser().await;
    dba.run(&format!(
        "create role {APP} login; create extension pg_tenant; create extension pg_stat_statements;
         grant tenant_user to {APP}; select tenant.create('acme');
         create table points (tenant_id text not null, id int, primary key (tenant_id, id));
         insert into points select 'acme', n from generate_series(0, 999) n;
         select tenant.protect('points'); grant select on points to {APP}"
    ))
    .await;
    dba.run("vacuum analyze").await;
    let session = Session::connect(&cluster.config("postgres", APP)).await;
    let processor = Processor::of(&session).await?;
    processor.keep()?;
    session.run("begin; select tenant.enter('acme')").await;
    let read = session.prepare("select id from points where id = $1").await?;
    session.run("commit").await;
    let reader = Reader { session, read, processor };
    let watcher = cluster.superuser().await;
    let polling = tokio::spawn(async move {
        loop {
            watcher.run("select count(*) from tenant.stat_tenants").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut each: [Vec<f64>; 3] = Default::default();
    for round in 0..=ROUNDS {
        for nth in 0..STATES.len() {
            let nth = (nth + round) % STATES.len();
            set(&dba, &reader.session, STATES[nth]).await?;
            let took = reader.round().await?;
            if round > 0 {
                each[nth].push(took);
            }
        }
    }
    polling.abort();
    let pairs = |which: usize| each[which].iter().copied().zip(each[0].iter().copied()).collect::<Vec<_>>();
    record.rounds("point_reads_with_statistics", "without", pairs(1));
    record.rounds("point_reads_with_pg_stat_statements", "without", pairs(2));
    let [without, statistics, statements] = each.map(median);
    let overhead = (statistics - without) / (statements - without);
    record.add("times", "statistics", "overhead_of_pg_stat_statements", overhead);
    record.add("us", "statistics", "of_a_transaction", (statistics - without) / TRANSACTIONS as f64 * 1e6);
    Ok(())
}
