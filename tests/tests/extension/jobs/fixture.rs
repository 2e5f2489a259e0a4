//! A table that jobs write, a login of workers, and what tests ask of a queue.

use pg_tenant_tests::{Database, Session, database};

/// `done (job, attempt)`, protected; tenants `acme` and `globex`; who works.
pub async fn workshop(name: &str) -> (Database<'static>, Session) {
    let db = database(&format!("jobs_{name}")).await;
    db.protector().await.run("create table done (tenant_id text, job bigint); select tenant.protect('done')").await;
    let login = worker_of(&db);
    db.superuser()
        .await
        .run(&format!(
            "create role {login} login in role tenant_user, tenant_worker;
             grant select, insert on done to {login}, {}; select tenant.create('acme'), tenant.create('globex')",
            db.roles.app
        ))
        .await;
    let worker = db.connect(&login).await;
    (db, worker)
}

/// The name of the login that works.
pub fn worker_of(db: &Database<'_>) -> String {
    format!("regress_{}_worker", db.name)
}

/// What a claim tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub id: i64,
    pub tenant: Option<String>,
    pub kind: String,
    pub attempt: i32,
}

/// Claims, with the rest of the call's arguments.
pub async fn claim(worker: &Session, arguments: &str) -> Vec<Claim> {
    let sql = format!("select id, tenant_id, kind, attempt from tenant.claim_jobs('worker'{arguments})");
    let rows = worker.query(&sql, &[]).await.expect("claimed");
    rows.iter().map(|row| Claim { id: row.get(0), tenant: row.get(1), kind: row.get(2), attempt: row.get(3) }).collect()
}

impl Claim {
    /// A call about this attempt: `finish_job`, `fail_job` or another, with what else it takes.
    pub fn call(&self, function: &str, rest: &str) -> String {
        format!("select * from tenant.{function}({}, {}{rest})", self.id, self.attempt)
    }

    /// Does it, inside its tenant.
    pub async fn perform(&self, worker: &Session) {
        let tenant = self.tenant.as_deref().expect("a tenant's");
        let effect = format!("insert into done (job) values ({})", self.id);
        let (take, finish) = (self.call("take_job", ""), self.call("finish_job", ""));
        worker.inside(tenant, &format!("{take}; {effect}; {finish}")).await;
    }
}

/// Queues one inside the tenant; its id.
pub async fn enqueue(app: &Session, tenant: &str, arguments: &str) -> i64 {
    app.run(&format!("begin; select tenant.enter('{tenant}')")).await;
    let id = app.value(&format!("select tenant.enqueue({arguments})")).await.expect("an id");
    app.run("commit").await;
    id.parse().expect("a number")
}

/// Ends every lease and every pause.
pub async fn let_time_pass(db: &Database<'_>) {
    let pass = "update tenant.jobs set lease_until = now() - interval '1 s' where state = 'running';
        update tenant.jobs set run_at = now() - interval '1 s' where state in ('failed', 'scheduled')";
    db.superuser().await.run(pass).await;
}

/// The state of a job, as a superuser reads it; none of one that is gone.
pub async fn state(db: &Database<'_>, id: i64) -> Option<String> {
    let mut rows = db.superuser().await.rows(&format!("select state from tenant.jobs where id = {id}")).await;
    rows.pop()?.pop()?
}
