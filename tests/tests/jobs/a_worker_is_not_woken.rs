//! A job waits although a worker is idle.

use std::time::Duration;

use pg_tenant_client::TenantPool;
use pg_tenant_client::jobs::{JobTx, Worker};
use pg_tenant_tests::Route;

use super::world::{Mark, PATIENCE, World};

/// One that would ask again in an hour is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_notification() {
    let world = World::new("woken").await;
    let never = Duration::from_secs(3600);
    let worker = world.marker(3).poll(never).listen(world.db.config(&world.worker)).start();
    for n in 0..5 {
        let id = world.enqueue("acme", &Mark { n }).await;
        world.until_state(id, "gone").await;
    }
    // The connection that listens breaks.
    world.superuser.run("select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'").await;
    for n in 5..7 {
        let id = world.enqueue("globex", &Mark { n }).await;
        world.until_state(id, "gone").await;
    }
    worker.drain().await;
    assert_eq!(world.value("select count(*) from done").await, "7");
}

/// Nothing of a tenant is on the channel, whoever notifies it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_tenants_data() {
    let world = World::new("channel").await;
    let listening = world.db.superuser().await;
    listening.run("listen pg_tenant_jobs").await;
    let app = world.db.app().await;
    app.inside("acme", "select pg_notify('pg_tenant_jobs', 'of acme')").await;
    world.enqueue("acme", &Mark { n: 1 }).await;
    listening.run("select 1").await;
    let heard = listening.notifications();
    assert!(!heard.is_empty() && heard.iter().all(|one| one.payload().is_empty()), "{heard:?}");
}

/// Behind PgBouncer in transaction mode, which carries no LISTEN, it asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler() {
    let world = World::new("pooled").await;
    for route in [Route::Transaction, Route::TransactionPrepared] {
        let config = route.config(&world.db.name, &world.worker);
        let pool = TenantPool::builder(config).max_size(3).wait_timeout(PATIENCE).build().expect("a pool");
        let mark = async |mut tx: JobTx, job: Mark| {
            tx.execute("insert into done (n) values ($1)", &[&job.n]).await?;
            Ok(())
        };
        let worker = Worker::new(pool).on(mark).concurrency(2).poll(Duration::from_millis(20)).start();
        for n in 0..5 {
            let id = world.enqueue("acme", &Mark { n }).await;
            world.until_state(id, "gone").await;
        }
        worker.drain().await;
    }
    assert_eq!(world.value("select count(*) from done").await, "10");
}
