//! A worker that the tests of jobs kill: it marks each job in a table, and beside it runs a scheduler.
//!
//! `WORKER_DATABASE`: where to.

use std::time::Duration;

use pg_tenant_client::TenantPool;
use pg_tenant_client::jobs::{Job, JobTx, Scheduler, SystemJobTx, Worker};

/// Marked once it is done.
#[derive(serde::Serialize, serde::Deserialize)]
struct Mark {
    n: i64,
}

impl Job for Mark {
    const KIND: &'static str = "mark";
}

/// The same, across tenants.
#[derive(serde::Serialize, serde::Deserialize)]
struct Sweep {
    n: i64,
}

impl Job for Sweep {
    const KIND: &'static str = "sweep";
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let config: pg_tenant_client::tokio_postgres::Config =
        std::env::var("WORKER_DATABASE").expect("WORKER_DATABASE").parse().expect("an address");
    let pool = TenantPool::builder(config.clone()).max_size(5).build().expect("a pool");
    let _scheduler = Scheduler::new(config).poll(Duration::from_millis(100)).batch(2).start();
    Worker::new(pool)
        .on(async |mut tx: JobTx, job: Mark| {
            tx.execute("insert into done (n) values ($1)", &[&job.n]).await?;
            tokio::time::sleep(Duration::from_millis(3)).await;
            Ok(())
        })
        .on_system(async |mut tx: SystemJobTx, job: Sweep| {
            tx.execute("insert into done (tenant_id, n) values ('acme', $1)", &[&job.n]).await?;
            Ok(())
        })
        .concurrency(4)
        .lease(Duration::from_secs(1))
        .poll(Duration::from_millis(50))
        .run_until(std::future::pending())
        .await;
}
