//! A table that jobs write, and the role of the workers.

use std::time::{Duration, Instant};

use pg_tenant_client::TenantPool;
use pg_tenant_client::jobs::{Job, JobTx, Worker};
use pg_tenant_tests::{Database, Session, database};

/// How long to wait for what must happen: far longer than it takes on a slow machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Marked once it is done.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    pub n: i64,
}

impl Job for Mark {
    const KIND: &'static str = "mark";
}

pub struct World {
    pub db: Database<'static>,
    pub superuser: Session,
    /// Granted `tenant_worker`, `tenant_user` and `tenant_system`.
    pub worker: String,
}

impl World {
    /// `done (n)` is protected; tenants `acme`, `globex` and `initech`.
    pub async fn new(name: &str) -> World {
        let db = database(&format!("work_{name}")).await;
        let superuser = db.superuser().await;
        let worker = format!("regress_{}_worker", db.name);
        db.protector().await.run("create table done (tenant_id text, n bigint); select tenant.protect('done')").await;
        superuser
            .run(&format!(
                "create role {worker} login; grant tenant_user, tenant_worker, tenant_system to {worker};
                 grant select, insert on done to {worker}, tenant_system, {};
                 select tenant.create('acme'), tenant.create('globex'), tenant.create('initech')",
                db.roles.app
            ))
            .await;
        World { db, superuser, worker }
    }

    pub fn pool(&self, size: usize) -> TenantPool {
        TenantPool::builder(self.db.config(&self.worker)).max_size(size).wait_timeout(PATIENCE).build().expect("a pool")
    }

    /// One that marks.
    pub fn marker(&self, size: usize) -> Worker {
        let mark = async |mut tx: JobTx, job: Mark| {
            tx.execute("insert into done (n) values ($1)", &[&job.n]).await?;
            Ok(())
        };
        Worker::new(self.pool(size)).on(mark).poll(Duration::from_millis(20))
    }

    /// Queues it in a transaction of the application.
    pub async fn enqueue(&self, tenant: &str, job: &impl Job) -> i64 {
        let app = TenantPool::builder(self.db.config(&self.db.roles.app)).max_size(1).build().expect("a pool");
        let mut tx = app.tenant(tenant).begin().await.expect("a transaction");
        let id = tx.enqueue(job).await.expect("queued");
        tx.commit().await.expect("committed");
        id
    }

    pub async fn value(&self, sql: &str) -> String {
        self.superuser.value(sql).await.unwrap_or_default()
    }

    pub async fn state(&self, id: i64) -> String {
        self.value(&format!("select coalesce((select state from tenant.jobs where id = {id}), 'gone')")).await
    }

    /// Waits until a query of a superuser's gives this.
    pub async fn until(&self, sql: &str, wanted: &str) {
        let since = Instant::now();
        loop {
            let found = self.value(sql).await;
            if found == wanted {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{sql}\nis {found}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn until_state(&self, id: i64, wanted: &str) {
        self.until(&format!("select coalesce((select state from tenant.jobs where id = {id}), 'gone')"), wanted).await;
    }
}
