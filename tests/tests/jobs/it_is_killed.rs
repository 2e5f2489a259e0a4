//! Workers, schedulers and their sessions are killed, at random: no job is lost, none is done twice, and each due time
//! of a schedule is fired once for each tenant.
//!
//! `KILLS=100 SEED=…` kills as often (`make fuzz`).

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::world::World;

const JOBS: i64 = 600;

fn worker(world: &World) -> Child {
    let config = world.db.config(&world.worker);
    let host = config.get_hosts().iter().find_map(|host| match host {
        tokio_postgres::config::Host::Unix(path) => Some(path.display().to_string()),
        tokio_postgres::config::Host::Tcp(_) => None,
    });
    let (host, port) = (host.expect("a socket"), config.get_ports()[0]);
    Command::new(env!("CARGO_BIN_EXE_jobs_worker"))
        .env("WORKER_DATABASE", format!("host={host} port={port} user={} dbname={}", world.worker, world.db.name))
        .stdout(Stdio::null())
        .spawn()
        .expect("run the worker")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anywhere() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (kills, seed) = (number("KILLS").unwrap_or(8), number("SEED").unwrap_or(11));
    println!("KILLS={kills} SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::new("killed").await;
    let boss = &world.superuser;
    boss.run(
        "select tenant.define_job_kind('mark', max_attempts => 1000, backoff => '1 ms', max_backoff => '1 ms');
         select tenant.define_job_kind('sweep', max_attempts => 1000, backoff => '1 ms', max_backoff => '1 ms');
         select tenant.define_schedule('tick', '* * * * * *', 'each_tenant', 'tick', catch_up => 'all')",
    )
    .await;
    let app = world.db.app().await;
    for (nth, tenant) in ["acme", "globex", "initech"].into_iter().enumerate() {
        let first = 10_000 * (nth as i64 + 1);
        app.inside(
            tenant,
            &format!(
                "select tenant.enqueue_many('mark', array(select jsonb_build_object('n', {first} + n)
                    from generate_series(1, {JOBS}) n))"
            ),
        )
        .await;
    }
    boss.run(
        "select tenant.enqueue_system('sweep', jsonb_build_object('n', n), 'kill') from generate_series(1, 100) n",
    )
    .await;
    let mut workers = [worker(&world), worker(&world)];
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.random_range(50..400))).await;
        if random.random_bool(0.5) {
            let one = &mut workers[random.random_range(0..2)];
            one.kill().expect("kill -9");
            one.wait().expect("its end");
            *one = worker(&world);
        } else {
            let end = format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = '{}' order by random() limit 3",
                world.worker
            );
            boss.rows(&end).await;
        }
    }
    world.until("select count(*) from tenant.jobs where kind in ('mark', 'sweep')", "0").await;
    let ticks = "select count(*) from (select distinct run_at from tenant.jobs where kind = 'tick') t";
    world.until(&format!("select ({ticks}) >= 3"), "t").await;
    for mut worker in workers {
        worker.kill().expect("kill -9");
        worker.wait().expect("its end");
    }
    let done = "select count(*) || ' ' || count(distinct (tenant_id, n)) from done";
    let all = 3 * JOBS + 100;
    assert_eq!(world.value(done).await, format!("{all} {all}"));
    // Whole seconds, each tenant's once, none left out.
    let wrong = "select count(*) from (select key, count(*) as n from tenant.jobs where kind = 'tick' group by key) t
        where n <> 3 and key <> (select 'tick@' || extract(epoch from firing)::bigint from tenant.schedules where firing is not null)";
    assert_eq!(world.value(wrong).await, "0");
    let gaps = "select count(*) from (select split_part(key, '@', 2)::bigint - lag(split_part(key, '@', 2)::bigint) over (order by key) as gap
        from (select distinct key from tenant.jobs where kind = 'tick') k) g where gap <> 1";
    assert_eq!(world.value(gaps).await, "0");
}
