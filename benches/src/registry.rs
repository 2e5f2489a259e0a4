//! (h) Entering tenants of a large registry: a million tenants with plans, settings, features and five million members,
//! beside entering one of a hundred that have none; and what changes of the registry cost those who enter other
//! tenants.
//!
//! Microseconds and ratios are of the backend's time on a processor, for a transaction, less those of the same loop
//! without an entry. Tenants are entered in turns, and were entered before.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use pg_tenant_tests::{Cluster, Options, Session};
use tokio::time::{MissedTickBehavior, interval};

use crate::processor::Processor;
use crate::report::{Record, median};
use crate::world::APP;

/// How many tenants the large registry has.
const TENANTS: u32 = 1_000_000;
/// How many tenants a loop enters in turns, and how often each.
const ENTERED: u32 = 100;
const TIMES: i32 = 20;
const ROUNDS: usize = 21;
const CHANGES_A_SECOND: u64 = 100;

/// A loop for each thing that is measured, with its name.
const LOOPS: [(&str, &str); 6] = [
    ("nothing", "perform length(id)"),
    ("enter", "perform tenant.enter(id)"),
    ("enter_and_read", "perform tenant.enter(id), tenant.setting('currency'), tenant.feature('export')"),
    ("enter_for", "perform tenant.enter(id, 'user 3')"),
    ("enter_for_and_ask", "perform tenant.enter(id, 'user 3'), tenant.can('invoice.write')"),
    (
        "enter_for_and_read_all",
        "perform tenant.enter(id, 'user 3'), tenant.can('invoice.write'), tenant.setting('currency'), tenant.feature('export')",
    ),
];

pub(crate) async fn run(record: &mut Record) -> anyhow::Result<()> {
    let small = server(ENTERED, "", "null").await;
    let large = server(
        TENANTS,
        "select tenant.declare_setting('currency', 'text', '\"EUR\"');
         select tenant.declare_feature('export', rollout => 50);
         select tenant.define_plan('basic', 1);
         select tenant.define_plan('gold', 2, statement_timeout => '30 s', settings => '{\"currency\": \"USD\"}');",
        "case when i % 2 = 0 then 'gold' else 'basic' end",
    )
    .await;
    people(&large).await;
    compare(&small, &large, record).await?;
    beside_changes(&large, record).await
}

/// A server with so many tenants, each with its plan.
async fn server(tenants: u32, declared: &str, plan: &str) -> Cluster {
    let cluster = Cluster::start(Options::default().set("shared_buffers", "512MB").set("max_wal_size", "4GB"));
    let dba = cluster.superuser().await;
    let loops = LOOPS.map(|(name, body)| {
        format!(
            "create procedure {name}(first int, times int) language plpgsql as $$
             declare id text;
             begin
                for n in 1 .. times loop
                    for id in select i::text from generate_series(first, first + {ENTERED} - 1) i loop
                        {body};
                        commit;
                    end loop;
                end loop;
             end $$;
             grant execute on procedure {name} to {APP};"
        )
    });
    dba.run(&format!(
        "create role {APP} login; create extension pg_tenant; grant tenant_user to {APP}; {}
         {declared}
         insert into tenant.tenants (id, plan) select i::text, {plan} from generate_series(1, {tenants}) i",
        loops.concat()
    ))
    .await;
    dba.run("vacuum analyze").await;
    cluster
}

/// Five members for each tenant.
async fn people(cluster: &Cluster) {
    let dba = cluster.superuser().await;
    dba.run(
        "select tenant.define_role('viewer', 10, '{invoice.read}'), tenant.define_role('editor', 20, '{invoice.read, invoice.write}'),
            tenant.define_role('owner', 40, '{invoice.read, invoice.write, members.manage}')",
    )
    .await;
    dba.run(&format!(
        "insert into tenant.members (tenant_id, user_id, role)
            select t::text, 'user ' || u, case u when 1 then 'owner' when 5 then 'viewer' else 'editor' end
            from generate_series(1, {TENANTS}) t, generate_series(1, 5) u"
    ))
    .await;
    dba.run("vacuum analyze tenant.members").await;
    dba.run("checkpoint").await;
}

/// A session that runs the loops.
struct Caller {
    session: Session,
    processor: Processor,
}

impl Caller {
    async fn of(cluster: &Cluster) -> anyhow::Result<Caller> {
        let session = Session::connect(&cluster.config("postgres", APP)).await;
        let processor = Processor::of(&session).await?;
        processor.keep()?;
        Ok(Caller { session, processor })
    }

    /// Microseconds for each turn of a loop over the first tenants.
    async fn time(&self, name: &str) -> anyhow::Result<f64> {
        let used = self.processor.used()?;
        self.session.batch_execute(&format!("call {name}(1, {TIMES})")).await?;
        Ok((self.processor.used()? - used) * 1e6 / f64::from(ENTERED * TIMES.unsigned_abs()))
    }
}

/// Entering a tenant of the small registry and of the large one, and reading what the latter's has.
async fn compare(small: &Cluster, large: &Cluster, record: &mut Record) -> anyhow::Result<()> {
    let (small, large) = (Caller::of(small).await?, Caller::of(large).await?);
    let (mut alone, mut entered, mut read) = (Vec::new(), Vec::new(), Vec::new());
    let (mut for_somebody, mut asked, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let base = small.time("nothing").await?;
        let peer = small.time("enter").await? - base;
        let base = large.time("nothing").await?;
        let (own, reads) = (large.time("enter").await? - base, large.time("enter_and_read").await? - base);
        let (acts, asks) = (large.time("enter_for").await? - base, large.time("enter_for_and_ask").await? - base);
        let whole = large.time("enter_for_and_read_all").await? - base;
        if round > 0 {
            for_somebody.push(acts);
            asked.push(asks);
            all.push(whole);
            alone.push(peer);
            entered.push(own);
            read.push(reads);
        }
    }
    let (alone, entered, read) = (median(alone), median(entered), median(read));
    record.add("us", "enter", "of_100_tenants", alone);
    record.add("us", "enter", "of_1000000_tenants", entered);
    record.add("us", "enter_and_read_settings", "of_1000000_tenants", read);
    let (for_somebody, asked, all) = (median(for_somebody), median(asked), median(all));
    record.add("us", "enter_for_member", "of_5000000_members", for_somebody);
    record.add("us", "enter_for_member_and_ask", "of_5000000_members", asked);
    record.add("us", "enter_for_member_and_read_all", "of_5000000_members", all);
    record.add("times", "enter_for_member_and_ask", "of_1000000_tenants", asked / entered);
    record.add("times", "enter_for_member_and_read_all", "of_1000000_tenants", all / entered);
    record.add("times", "enter", "of_100_tenants", entered / alone);
    record.add("times", "enter_and_read_settings", "of_100_tenants", read / alone);
    Ok(())
}

/// Entering, without changes and beside a hundred changes a second of other tenants.
async fn beside_changes(large: &Cluster, record: &mut Record) -> anyhow::Result<()> {
    let caller = Caller::of(large).await?;
    let operator = large.superuser().await;
    let (changing, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let changes = async {
        let mut ticks = interval(Duration::from_millis(1000 / CHANGES_A_SECOND));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut next = ENTERED;
        while !done.load(Relaxed) {
            ticks.tick().await;
            if changing.load(Relaxed) {
                next = ENTERED + (next + 1) % 10_000;
                let name =
                    format!("update tenant.tenants set name = 'changed ' || clock_timestamp() where id = '{next}'");
                operator.batch_execute(&name).await?;
            }
        }
        anyhow::Ok(())
    };
    let measure = async {
        let (mut quiet, mut beside) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            for (times, changes) in [(&mut quiet, false), (&mut beside, true)] {
                changing.store(changes, Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
                let took = caller.time("enter_and_read").await?;
                if round > 0 {
                    times.push(took);
                }
            }
        }
        done.store(true, Relaxed);
        anyhow::Ok((median(quiet), median(beside)))
    };
    let ((quiet, beside), ()) = tokio::try_join!(measure, changes)?;
    record.ratio("enter_beside_100_changes_a_second", "without_changes", quiet / beside);
    Ok(())
}
