//! A job fails, panics, takes too long, cannot be read, or its worker stops: it is tried again, or given back, and what
//! it has written is undone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pg_tenant_client::jobs::{Job, JobError, JobOptions, JobTx, OutsideJob, Worker};

use super::world::{Mark, World};

/// How a job goes wrong.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Wrong {
    Error,
    GiveUp,
    Panic,
    Slow,
    Kept,
    Ended,
}

impl Job for Wrong {
    const KIND: &'static str = "wrong";
}

async fn goes_wrong(mut tx: JobTx, job: Wrong) -> Result<(), JobError> {
    tx.execute("insert into done (n) values (1)", &[]).await?;
    match job {
        Wrong::Error => return Err(JobError::new("no route").retry_in(Duration::from_secs(3600))),
        Wrong::GiveUp => return Err(JobError::new("no such address").give_up()),
        Wrong::Panic => panic!("not today"),
        Wrong::Slow => tokio::time::sleep(Duration::from_secs(3600)).await,
        Wrong::Kept => std::mem::forget(tx),
        Wrong::Ended => {
            let _ = tx.execute("select 1 / 0", &[]).await;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_its_handler() {
    let world = World::new("wrong").await;
    world.superuser.run("select tenant.define_job_kind('wrong', time_limit => '300 ms', backoff => '1 h')").await;
    let worker = Worker::new(world.pool(3)).on(goes_wrong);
    for (job, state, error) in [
        (Wrong::Error, "failed", "no route"),
        (Wrong::GiveUp, "dead", "no such address"),
        (Wrong::Panic, "failed", "the job panicked: not today"),
        (Wrong::Slow, "failed", "it took longer than its kind may, 300ms"),
        (Wrong::Kept, "dead", "the transaction was kept beyond the end of the work"),
        (Wrong::Ended, "failed", "division by zero"),
    ] {
        let id = world.enqueue("acme", &job).await;
        assert_eq!(worker.run_idle().await.expect("it works"), 1, "{job:?}");
        assert_eq!(world.state(id).await, state, "{job:?}");
        let told = world.value(&format!("select last_error from tenant.jobs where id = {id}")).await;
        assert!(told.contains(error), "{job:?}: {told}");
    }
    assert_eq!(world.value("select count(*) from done").await, "0");
}

/// A job that another version has queued is not lost: it is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_what_it_says() {
    let world = World::new("unreadable").await;
    let app = world.db.app().await;
    app.inside("acme", "select tenant.enqueue('mark', '{\"m\": 1}'), tenant.enqueue('unknown')").await;
    assert_eq!(world.marker(2).run_idle().await.expect("it works"), 1, "kinds that it does not know are others'");
    let states = "select string_agg(kind || ' ' || state, ', ' order by kind) from tenant.jobs";
    assert_eq!(world.value(states).await, "mark failed, unknown ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_tenant_that_is_suspended_meanwhile() {
    let world = World::new("suspended").await;
    let id = world.enqueue("acme", &Mark { n: 1 }).await;
    // Suspended by the claim itself: the worker has the job, and cannot enter.
    world
        .superuser
        .run(
            "create function suspend_it() returns trigger language plpgsql security definer as
                $$ begin perform tenant.suspend('acme', 'unpaid'); return null; end $$;
             create trigger suspend_it after update on tenant.jobs for each row
                when (new.state = 'running' and new.attempt = 1) execute function suspend_it()",
        )
        .await;
    assert_eq!(world.marker(2).run_idle().await.expect("it works"), 1);
    let state = "select state || ' ' || tries || ' ' || (last_error is null) from tenant.jobs";
    assert_eq!(world.value(state).await, "ready 0 true", "it was given back");
    assert_eq!(world.marker(2).run_idle().await.expect("it works"), 0, "it waits");
    world.superuser.run("select tenant.resume('acme', 'paid')").await;
    assert_eq!(world.marker(2).run_idle().await.expect("it works"), 1);
    assert_eq!(world.state(id).await, "gone");
    assert_eq!(world.value("select count(*) from done").await, "1");
}

/// A worker that is told to stop waits for what it does, and gives the rest back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_worker_that_stops() {
    let world = World::new("drained").await;
    let id = world.enqueue("acme", &Mark { n: 1 }).await;
    let hangs = async |mut tx: JobTx, job: Mark| {
        tx.execute("insert into done (n) values ($1)", &[&job.n]).await?;
        std::future::pending::<()>().await;
        Ok(())
    };
    let worker = Worker::new(world.pool(3)).on(hangs).drain_timeout(Duration::from_millis(50)).start();
    world.until_state(id, "running").await;
    worker.drain().await;
    assert_eq!(world.state(id).await, "ready", "it was given back");
    assert_eq!(world.value(&format!("select tries from tenant.jobs where id = {id}")).await, "0");
    let worker = world.marker(3).start();
    world.until_state(id, "gone").await;
    worker.drain().await;
    assert_eq!(world.value("select count(*) from done").await, "1");
}

/// One whose lease another has taken is rolled back, whatever it does; one that lives keeps its job beyond the lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_lease() {
    let world = World::new("lease").await;
    let (kept, taken) = (world.enqueue("acme", &Mark { n: 1 }).await, world.enqueue("globex", &Mark { n: 2 }).await);
    let (begun, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let (counted, waits) = (begun.clone(), go.clone());
    let held = move |mut tx: JobTx, job: Mark| {
        let (counted, waits) = (counted.clone(), waits.clone());
        async move {
            tx.execute("insert into done (n) values ($1)", &[&job.n]).await?;
            counted.fetch_add(1, Ordering::SeqCst);
            waits.notified().await;
            Ok(())
        }
    };
    let lease = Duration::from_secs(1);
    let worker =
        Worker::new(world.pool(3)).on(held).concurrency(2).lease(lease).poll(Duration::from_secs(3600)).start();
    while begun.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let until = world.value(&format!("select lease_until from tenant.jobs where id = {kept}")).await;
    world
        .superuser
        .run(&format!(
            "update tenant.jobs set attempt = 2, worker = 'another', lease_until = 'infinity' where id = {taken}"
        ))
        .await;
    world
        .until(
            &format!("select lease_until > '{until}'::timestamptz + interval '1 s' from tenant.jobs where id = {kept}"),
            "t",
        )
        .await;
    let open = format!(
        "select count(*) from pg_stat_activity where usename = '{}' and state = 'idle in transaction'",
        world.worker
    );
    world.until(&open, "1").await;
    go.notify_waiters();
    world.until_state(kept, "gone").await;
    worker.drain().await;
    assert_eq!(
        (world.value("select sum(n) from done").await, world.state(taken).await),
        ("1".into(), "running".into())
    );
}

/// What happens outside happens at least once, with the same key and the trace of who has queued it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outside_of_the_database() {
    let world = World::new("outside").await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let app = pg_tenant_client::sqlx::TenantPool::new(
        sqlx::postgres::PgPoolOptions::new().max_connections(1),
        world.db.url(&world.db.roles.app).parse().expect("an address"),
    );
    let mut tx = app.tenant("acme").begin().await.expect("a transaction");
    let options = JobOptions::new().key("call-1").trace(trace).priority(-1).max_attempts(5);
    let id = tx.enqueue_with(&Mark { n: 7 }, &options).await.expect("queued");
    assert_eq!(tx.enqueue_with(&Mark { n: 7 }, &options).await.expect("known"), id);
    let many = tx.enqueue_many(&[Mark { n: 1 }, Mark { n: 2 }], &JobOptions::new()).await.expect("queued");
    assert_eq!(many.len(), 2);
    assert!(tx.enqueue_many(&[Mark { n: 1 }], &options).await.is_err(), "of one key there is one");
    tx.commit().await.expect("committed");
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seeing = seen.clone();
    let call = move |job: OutsideJob, mark: Mark| {
        let seeing = seeing.clone();
        async move {
            let told = (
                job.idempotency_key(),
                mark.n,
                job.trace().map(str::to_owned),
                job.tenant_id().map(ToString::to_string),
            );
            let first = {
                let mut seen = seeing.lock().expect("it is no poison");
                seen.push(told);
                seen.len() == 1
            };
            if first { Err(JobError::new("no answer").retry_in(Duration::ZERO)) } else { Ok(()) }
        }
    };
    let worker = Worker::new(world.pool(2)).on_outside(call);
    assert_eq!(worker.run_idle().await.expect("it works"), 4);
    let seen = seen.lock().expect("it is no poison").clone();
    let one = (format!("job/{id}"), 7, Some(trace.to_owned()), Some("acme".to_owned()));
    assert_eq!(seen.iter().filter(|told| **told == one).count(), 2, "{seen:?}");
    assert_eq!(world.value("select count(*) from tenant.jobs").await, "0");
}
