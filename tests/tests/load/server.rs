//! Tenants and a table without any key, so that what is written twice is there twice; and the trouble there is with it.

use std::time::{Duration, Instant};

use pg_tenant_tests::{Database, Session};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::deed::TENANTS;
use crate::wire::Wire;

pub struct Server {
    pub db: Database<'static>,
    /// May enter tenants and the system context: every pool is theirs.
    pub operator: String,
    pub superuser: Session,
    wire: Wire,
}

impl Server {
    pub async fn new(name: &str) -> Server {
        let db = pg_tenant_tests::database(name).await;
        let admin = db.admin().await;
        for tenant in TENANTS {
            admin.run(&format!("select tenant.create('{tenant}')")).await;
        }
        db.owner().await.run("create table marks (tenant_id text not null, key bigint not null)").await;
        let superuser = db.superuser().await;
        let operator = format!("regress_{}_operator", db.name);
        superuser
            .run(&format!(
                "select tenant.protect('marks');
                 create role {operator} login; grant tenant_user, tenant_system to {operator};
                 grant select, insert on marks to {operator}, tenant_system"
            ))
            .await;
        let wire = Wire::start(db.cluster().port()).await;
        Server { db, operator, superuser, wire }
    }

    /// How the pools find it: over the wire.
    pub fn url(&self) -> String {
        format!("postgres://{}@127.0.0.1:{}/{}", self.operator, self.wire.port, self.db.name)
    }

    /// Every few milliseconds terminates a backend or cuts a connection; how many backends there were.
    pub async fn trouble(&self, seed: u64, until: Instant) -> usize {
        let session = self.db.superuser().await;
        let mut rng = StdRng::seed_from_u64(seed);
        let mut terminated = 0;
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(rng.random_range(5..100))).await;
            if rng.random_bool(0.5) {
                self.wire.cut(&mut rng);
                continue;
            }
            let pids = session.rows(&self.sessions("pid", "true")).await;
            if !pids.is_empty()
                && let Some(pid) = &pids[rng.random_range(0..pids.len())][0]
            {
                session.run(&format!("select pg_terminate_backend({pid})")).await;
                terminated += 1;
            }
        }
        terminated
    }

    /// Waits until the server has ended what was cancelled, but not for ever: no transaction, no statement, no lock.
    pub async fn nothing_is_left(&self) -> Result<(), String> {
        let since = Instant::now();
        let busy = "state <> 'idle' or xact_start is not null
            or exists (select from pg_locks l where l.pid = a.pid and l.granted)";
        loop {
            let left = self.superuser.rows(&self.sessions("pid, state, query", busy)).await;
            if left.is_empty() {
                return Ok(());
            }
            if since.elapsed() > Duration::from_secs(60) {
                return Err(format!("left behind: {left:?}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn sessions(&self, what: &str, which: &str) -> String {
        let Server { db, operator, .. } = self;
        format!(
            "select {what} from pg_stat_activity a where usename = '{operator}' and datname = '{}' and ({which})",
            db.name
        )
    }
}
