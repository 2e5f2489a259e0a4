//! (k) Jobs: how many a second 1, 8 and 64 workers do, what queueing one costs, and how long a tenant with two jobs
//! waits beside one with 100,000. A job writes one row. The peers are a table without tenants, with the statements of
//! pgmq (a visibility timeout) and of graphile_worker (a lock column) written out, in the same run: claimed in tens,
//! and done in one transaction together with the deletion, as ours.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use pg_tenant_tests::{Cluster, Options, Session};

use crate::report::{Record, median};
use crate::world::APP;

const TENANTS: usize = 50;
const JOBS: usize = 400;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(700);
const WORKERS: [usize; 3] = [1, 8, 64];
const BACKLOG: usize = 100_000;

/// A queue: how it is filled, how ten jobs are claimed, and how one is done.
struct Queue {
    name: &'static str,
    fill: String,
    claim: &'static str,
    done: fn(&[Option<String>]) -> String,
}

fn queues() -> [Queue; 3] {
    let fill = |table: &str| {
        format!(
            "truncate {table}; insert into {table} (tenant_id, payload) select 't' || t, '{{}}' from generate_series(1, {JOBS}) j, generate_series(1, {TENANTS}) t; analyze {table}"
        )
    };
    let of_each = (1..=TENANTS).map(|t| {
        format!(
            "begin; select tenant.enter('t{t}');
             select count(*) from tenant.enqueue_many('mark', array_fill('{{}}'::jsonb, array[{JOBS}])); commit;"
        )
    });
    let ours = format!("truncate tenant.jobs; {} analyze tenant.jobs", of_each.collect::<String>());
    [
        Queue {
            name: "pg_tenant",
            fill: ours,
            claim: "select id, attempt, tenant_id from tenant.claim_jobs('bench', at_most => 10)",
            done: |job| {
                let [id, attempt, tenant] = [0, 1, 2].map(|at| job[at].as_deref().unwrap_or_default());
                format!(
                    "begin; select tenant.enter('{tenant}'); select payload from tenant.take_job({id}, {attempt});
                     insert into done (job) values ({id}); select tenant.finish_job({id}, {attempt}); commit"
                )
            },
        },
        Queue {
            name: "pgmq_sql",
            fill: fill("pgmq"),
            claim: "with picked as (select id from pgmq where vt <= clock_timestamp() order by id limit 10 for update skip locked)
                update pgmq q set vt = clock_timestamp() + interval '30 s', read_ct = read_ct + 1 from picked
                where q.id = picked.id returning q.id, q.tenant_id, q.payload",
            done: |job| {
                let id = job[0].as_deref().unwrap_or_default();
                format!("begin; insert into plain_done (tenant_id, job) values ('t', {id}); delete from pgmq where id = {id}; commit")
            },
        },
        Queue {
            name: "graphile_worker_sql",
            fill: fill("graphile"),
            claim: "with picked as (select id from graphile where locked_at is null and run_at <= now()
                    order by priority, run_at, id limit 10 for update skip locked)
                update graphile q set attempts = attempts + 1, locked_by = 'bench', locked_at = now() from picked
                where q.id = picked.id returning q.id, q.tenant_id, q.payload",
            done: |job| {
                let id = job[0].as_deref().unwrap_or_default();
                format!("begin; insert into plain_done (tenant_id, job) values ('t', {id}); delete from graphile where id = {id}; commit")
            },
        },
    ]
}

pub(crate) async fn run(record: &mut Record) -> anyhow::Result<()> {
    let cluster = Cluster::start(Options::default().set("max_connections", "100").set("max_wal_size", "4GB"));
    let dba = cluster.superuser().await;
    dba.run(&format!(
        "create role {APP} login; create extension pg_tenant; grant tenant_user, tenant_worker to {APP};
         select tenant.create('t' || i) from generate_series(1, {TENANTS}) i;
         create table done (tenant_id text, job bigint); select tenant.protect('done'); grant insert on done to {APP};
         create table plain_done (tenant_id text, job bigint);
         create table pgmq (id bigint generated always as identity primary key, tenant_id text, payload jsonb,
            vt timestamptz not null default now(), read_ct int not null default 0, enqueued_at timestamptz default now());
         create index on pgmq (vt);
         create table graphile (id bigint generated always as identity primary key, tenant_id text, payload jsonb,
            priority int not null default 0, run_at timestamptz not null default now(), attempts int not null default 0,
            locked_at timestamptz, locked_by text, created_at timestamptz default now());
         create index on graphile (priority, run_at, id) where locked_at is null;
         grant select, insert, update, delete on plain_done, pgmq, graphile to {APP}"
    ))
    .await;
    let mut sessions = Vec::new();
    for _ in 0..WORKERS[2] {
        sessions.push(Session::connect(&cluster.config("postgres", APP)).await);
    }
    let queues = queues();
    for workers in WORKERS {
        let mut each: [Vec<f64>; 3] = Default::default();
        for round in 0..=ROUNDS {
            for nth in 0..queues.len() {
                let at = (nth + round) % queues.len();
                dba.batch_execute(&queues[at].fill).await?;
                let began = Instant::now();
                let all = sessions[..workers].iter().map(|session| work(session, &queues[at]));
                let done: u64 = try_join_all(all).await?.iter().sum();
                if round > 0 {
                    each[at].push(done as f64 / began.elapsed().as_secs_f64());
                }
            }
        }
        let [ours, pgmq, graphile] = each.map(median);
        let workload = format!("jobs_{workers}_workers");
        record.ratio(&workload, queues[1].name, ours / pgmq);
        record.ratio(&workload, queues[2].name, ours / graphile);
        record.add("jobs_per_s", &workload, "pg_tenant", ours);
    }
    enqueue(&sessions[0], record).await?;
    waits(&dba, &sessions[0], record).await
}

/// Jobs until the round is over, or none is left.
async fn work(session: &Session, queue: &Queue) -> anyhow::Result<u64> {
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < ROUND {
        let jobs = session.rows(queue.claim).await;
        if jobs.is_empty() {
            break;
        }
        for job in &jobs {
            session.batch_execute(&(queue.done)(job)).await?;
            count += 1;
        }
    }
    Ok(count)
}

/// A thousand in one transaction, less what entering costs, which is once.
async fn enqueue(session: &Session, record: &mut Record) -> anyhow::Result<()> {
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        for (sql, into) in [
            ("select tenant.enqueue('mark', '{}')", &mut ours),
            ("insert into pgmq (tenant_id, payload) values ('t1', '{}')", &mut plain),
        ] {
            session.batch_execute("begin; select tenant.enter('t1')").await?;
            let statement = session.prepare(sql).await?;
            let began = Instant::now();
            try_join_all((0..1000).map(|_| session.execute(&statement, &[]))).await?;
            let took = began.elapsed().as_secs_f64() * 1e3;
            session.batch_execute("rollback").await?;
            if round > 0 {
                into.push(took);
            }
        }
    }
    record.add("us", "enqueue_pipelined", "pg_tenant", median(ours));
    record.add("us", "enqueue_pipelined", "plain_insert", median(plain));
    Ok(())
}

/// How many jobs are claimed, one by one, before both of a tenant that comes later; first in, first out it is all of
/// the other's.
async fn waits(dba: &Session, session: &Session, record: &mut Record) -> anyhow::Result<()> {
    dba.batch_execute("truncate tenant.jobs; update tenant.job_queues set next_at = 'infinity'").await?;
    let many = format!(
        "begin; select tenant.enter('t1'); select count(*) from tenant.enqueue_many('mark', array_fill('{{}}'::jsonb, array[{BACKLOG}])); commit"
    );
    session.batch_execute(&many).await?;
    let one = "select tenant_id from tenant.claim_jobs('bench')";
    for _ in 0..100 {
        session.rows(one).await;
    }
    session
        .batch_execute(
            "begin; select tenant.enter('t2'); select tenant.enqueue('mark'), tenant.enqueue('mark'); commit",
        )
        .await?;
    let (mut claimed, mut found) = (0, 0);
    while found < 2 && claimed < BACKLOG {
        let rows = session.rows(one).await;
        claimed += rows.len();
        found += rows.iter().filter(|row| row[0].as_deref() == Some("t2")).count();
    }
    record.add("jobs", "claimed_until_two_beside_100000_are", "pg_tenant", claimed as f64);
    record.add("jobs", "claimed_until_two_beside_100000_are", "first_in_first_out", (BACKLOG - 100 + 2) as f64);
    Ok(())
}
