//! A worker is killed (SIGKILL), at any step, before and after its commit: nothing is half made, nothing is done twice,
//! and what is given up is undone.
//!
//! `KILLS=100 SEED=…` kills as often at random places (`make fuzz`).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::world::World;

const STEPS: [&str; 4] = ["first", "call", "report", "last"];

/// Where the worker is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Point {
    /// Before its work.
    Begun,
    /// After it, before the step's end.
    Worked,
    /// While the step's end is under way.
    Ending,
    /// While the server commits it, which it goes on with.
    Committing,
    /// The same, and the server loses the session as well: it rolls back.
    Lost,
}

use Point::{Begun, Committing, Ending, Lost, Worked};
const POINTS: [Point; 5] = [Begun, Worked, Ending, Committing, Lost];

fn worker(world: &World) -> Command {
    let config = world.config();
    let host = config.get_hosts().iter().find_map(|host| match host {
        tokio_postgres::config::Host::Unix(path) => Some(path.display().to_string()),
        tokio_postgres::config::Host::Tcp(_) => None,
    });
    let (host, port) = (host.expect("a socket"), config.get_ports()[0]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_onboarding_worker"));
    command.env("WORKER_DATABASE", format!("host={host} port={port} user={} dbname={}", world.worker, world.db.name));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).env_remove("WORKER_PAUSE").env_remove("WORKER_BEGIN");
    command
}

async fn begin(world: &World, tenant: &str) {
    assert!(worker(world).env("WORKER_BEGIN", tenant).status().expect("run the worker").success());
}

/// A worker that has come to where it stops. None where it has ended before: nobody had to do that step.
fn paused(world: &World, at: &str) -> Option<(Child, BufReader<ChildStdout>)> {
    let mut child = worker(world).env("WORKER_PAUSE", at).spawn().expect("run the worker");
    let mut said = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    if line.trim() == "paused" {
        return Some((child, said));
    }
    assert!(child.wait().expect("its end").success(), "the worker ended: {line}");
    None
}

/// Runs a worker until it is at this point of the step, and kills it. `false` where the step was not to be done.
async fn kill(world: &World, tenant: &str, step: &str, point: Point) -> bool {
    let stops = if point == Begun { "begun" } else { "worked" };
    let Some((mut child, _said)) = paused(world, &format!("{step}:{stops}")) else { return false };
    let boss = world.db.superuser().await;
    let ending = [Ending, Committing, Lost].contains(&point);
    if ending {
        // What is outside is recorded by a statement that commits by itself.
        let gate = match point {
            Committing | Lost if !step.starts_with("call") => "gate".to_owned(),
            _ => format!("tenant.onboardings where tenant_id = '{tenant}'"),
        };
        boss.run(&format!("begin; select from {gate} for update")).await;
        child.stdin.as_mut().expect("its input").write_all(b"\n").expect("it goes on");
        let waits = format!(
            "select count(*) from pg_stat_activity where usename = '{}' and wait_event_type = 'Lock'",
            world.worker
        );
        world.until(&waits, "1").await;
    }
    child.kill().expect("kill -9");
    child.wait().expect("its end");
    if point == Lost {
        let end =
            format!("select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = '{}'", world.worker);
        boss.run(&end).await;
        world.until_gone().await;
    }
    if ending {
        boss.run("commit").await;
    }
    world.until_gone().await;
    world.let_time_pass().await;
    true
}

/// A worker that nobody kills.
async fn work(world: &World) {
    assert!(worker(world).stdout(Stdio::null()).status().expect("run the worker").success());
    world.until_gone().await;
}

/// What is half made or done twice.
async fn whole(world: &World, tenant: &str, abandoned: bool) {
    let of = format!("where tenant_id = '{tenant}'");
    let list = |table: &str| format!("select coalesce(string_agg(step, ' ' order by step), '') from {table} {of}");
    let made = world.value(&list("made")).await;
    let undone = world.value(&list("undone")).await;
    let ended = format!(
        "select string_agg(detail ->> 'step', ' ' order by detail ->> 'step') from tenant.journal where object = '{tenant}' and action = 'finish_step'"
    );
    let ended = world.value(&ended).await;
    let keys = world
        .value(&format!("select coalesce(string_agg(distinct key, ' '), '') from calls where key like '{tenant}/%'"))
        .await;
    if !abandoned {
        assert_eq!((&*made, &*undone, &*keys), ("first last report", "", &*format!("{tenant}/call")), "{tenant}");
        assert_eq!((&*ended, &*world.status(tenant).await), ("call first last report", "active"), "{tenant}");
        return;
    }
    // What was done was undone, each once; what may have happened outside was undone after it.
    let in_database = ended.split(' ').filter(|step| *step != "call" && !step.is_empty()).collect::<Vec<_>>().join(" ");
    assert_eq!((&*made, &*undone, &*world.status(tenant).await), ("", &*in_database, "purged"), "{tenant}");
    if !keys.is_empty() {
        let last = format!("select key from calls where key like '{tenant}/%' order by at desc limit 1");
        assert_eq!(world.value(&last).await, format!("{tenant}/call/undo"));
    }
    let left = format!("select count(*) from tenant.onboarding {of} and status <> 'undone'");
    assert_eq!(world.value(&left).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_each_step() {
    let world = World::new("killed").await;
    begin(&world, "acme").await;
    for step in STEPS {
        // Where the end was committed, the step is over; so that is last.
        for point in [Begun, Worked, Lost, Committing] {
            assert!(kill(&world, "acme", step, point).await, "{step} {point:?}");
        }
    }
    work(&world).await;
    whole(&world, "acme", false).await;
    let attempts = "select string_agg(attempts::text, ' ' order by nth) from tenant.onboarding";
    assert_eq!(world.value(attempts).await, "4 4 4 4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_each_step_that_is_undone() {
    let world = World::new("killed_undoing").await;
    begin(&world, "acme").await;
    // All but the last one's end.
    assert!(kill(&world, "acme", "last", Worked).await);
    world.superuser.run("select tenant.abandon_onboarding('acme', 'given up')").await;
    for step in ["call!", "report!", "first!"] {
        for point in [Begun, Worked, Lost, Committing] {
            assert!(kill(&world, "acme", step, point).await, "{step} {point:?}");
        }
    }
    work(&world).await;
    whole(&world, "acme", true).await;
}

/// At random places of many tenants, some of which are given up half-way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anywhere() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (kills, seed) = (number("KILLS").unwrap_or(8), number("SEED").unwrap_or(11));
    println!("KILLS={kills} SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::new("killed_anywhere").await;
    let (mut killed, mut nth) = (0, 0);
    while killed < kills {
        nth += 1;
        let tenant = format!("t{nth}");
        begin(&world, &tenant).await;
        let abandoned = random.random_bool(0.5);
        for step in STEPS {
            while random.random_bool(0.5)
                && kill(&world, &tenant, step, POINTS[random.random_range(0..POINTS.len())]).await
            {
                killed += 1;
            }
            if abandoned && random.random_bool(0.3) {
                break;
            }
        }
        if abandoned && world.status(&tenant).await == "provisioning" {
            world.superuser.run(&format!("select tenant.abandon_onboarding('{tenant}', 'given up')")).await;
            for step in STEPS.iter().rev() {
                while random.random_bool(0.5)
                    && kill(&world, &tenant, &format!("{step}!"), POINTS[random.random_range(0..POINTS.len())]).await
                {
                    killed += 1;
                }
            }
        }
        work(&world).await;
        whole(&world, &tenant, world.status(&tenant).await != "active").await;
    }
}
