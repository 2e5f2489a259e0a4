//! Tables that steps write, and the role of the workers.

use std::time::{Duration, Instant};

use pg_tenant_client::TenantPool;
use pg_tenant_client::onboarding::Onboarding;
use pg_tenant_tests::{Database, Session, database};

/// How long to wait for what must happen: far longer than it takes on a slow machine that does other things too.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    pub db: Database<'static>,
    pub superuser: Session,
    /// Granted `tenant_admin`, `tenant_user` and `tenant_system`.
    pub worker: String,
}

impl World {
    /// `made` and `undone` are protected; `calls`, which has no tenant, is what happens outside. What writes them
    /// commits when nobody holds the row of `gate`.
    pub async fn new(name: &str) -> World {
        let db = database(name).await;
        let superuser = db.superuser().await;
        let worker = format!("regress_{}_worker", db.name);
        db.protector()
            .await
            .run(
                "create table made (tenant_id text, id bigint generated always as identity, step text, primary key (tenant_id, id));
                 create table undone (tenant_id text, step text);
                 create table calls (at bigint generated always as identity, key text);
                 select tenant.protect('made'), tenant.protect('undone'), tenant.share('calls', 'the world outside')",
            )
            .await;
        superuser
            .run(
                "create table gate as select 1 as n;
                 create function pass_gate() returns trigger language plpgsql security definer as
                    $$ begin perform from public.gate for share; return null; end $$;
                 create constraint trigger gate after insert or delete on made deferrable initially deferred
                    for each row execute function pass_gate()",
            )
            .await;
        superuser
            .run(&format!(
                "create role {worker} login; grant tenant_user, tenant_admin, tenant_system to {worker};
                 grant select, insert, delete on made, undone to {worker}, tenant_system; grant insert, select on calls to {worker}"
            ))
            .await;
        World { db, superuser, worker }
    }

    pub fn config(&self) -> tokio_postgres::Config {
        self.db.config(&self.worker)
    }

    pub fn pool(&self, size: usize) -> TenantPool {
        TenantPool::builder(self.config()).max_size(size).wait_timeout(PATIENCE).build().expect("a pool")
    }

    pub fn onboarding(&self, size: usize) -> Onboarding {
        Onboarding::new(self.pool(size))
    }

    pub async fn value(&self, sql: &str) -> String {
        self.superuser.value(sql).await.unwrap_or_default()
    }

    pub async fn status(&self, tenant: &str) -> String {
        self.value(&format!("select status from tenant.tenants where id = '{tenant}'")).await
    }

    /// Ends every lease, and every pause before another attempt.
    pub async fn let_time_pass(&self) {
        self.superuser
            .run(
                "update tenant.onboarding set claim_expires = now() - interval '1 s' where status = 'running';
                 update tenant.onboarding set not_before = now() - interval '1 s' where not_before > now()",
            )
            .await;
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

    /// Waits until no session of the workers' is left: what they did is committed, or rolled back.
    pub async fn until_gone(&self) {
        let sessions = format!("select count(*) from pg_stat_activity where usename = '{}'", self.worker);
        self.until(&sessions, "0").await;
    }
}
