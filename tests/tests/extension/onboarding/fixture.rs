//! A table that steps write, an administrator who works as a worker, and what the tests ask of an onboarding.

use pg_tenant_tests::{Database, Session, database};

/// Three steps and one beside them: `schema` before `rows`, before `welcome`; `billing` is outside and waits for none.
pub const STEPS: &str = r#"[{"step": "schema"}, {"step": "rows", "after": ["schema"]},
    {"step": "billing", "outside": true}, {"step": "welcome", "after": ["rows", "billing"], "undo": false}]"#;

/// `made (step, attempt)`, protected, one line for each effect of a step.
pub async fn workshop(name: &str) -> (Database<'static>, Session) {
    let db = database(name).await;
    let owner = db.protector().await;
    owner.run("create table made (tenant_id text, step text, attempt integer); select tenant.protect('made')").await;
    let admin = &db.roles.admin;
    db.superuser()
        .await
        .run(&format!("grant tenant_user to {admin}; grant select, insert, delete on made to {admin}"))
        .await;
    let worker = db.admin().await;
    (db, worker)
}

pub async fn begin(worker: &Session, tenant: &str, steps: &str) {
    worker.run(&format!("select tenant.begin_onboarding('{tenant}', '{steps}')")).await;
}

/// What a claim says.
#[derive(Debug, PartialEq)]
pub struct Claim {
    pub tenant: String,
    pub step: String,
    pub attempt: i32,
    pub undo: bool,
    pub key: String,
    pub results: String,
}

impl Claim {
    /// `tenant/step` of the claim, with a `!` where it undoes.
    pub fn name(&self) -> String {
        format!("{}{}", self.step, if self.undo { "!" } else { "" })
    }

    /// The call that ends it: `finish_step` or `fail_step`, with what else it takes.
    pub fn call(&self, function: &str, rest: &str) -> String {
        format!("select tenant.{function}('{}', '{}', {}{rest})", self.tenant, self.step, self.attempt)
    }

    /// Finishes it in a transaction of its tenant that makes, or takes away, its effect.
    pub async fn perform(&self, worker: &Session) {
        let Claim { tenant, step, attempt, .. } = self;
        let effect = match self.undo {
            false => format!("insert into made (step, attempt) values ('{step}', {attempt})"),
            true => format!("delete from made where step = '{step}'"),
        };
        worker.inside(tenant, &format!("{effect}; {}", self.call("finish_step", ""))).await;
    }
}

pub async fn claim(worker: &Session) -> Option<Claim> {
    let mut rows = worker
        .rows("select tenant_id, step, attempt, undo, idempotency_key, results from tenant.claim_step('worker')")
        .await;
    let row: Vec<String> = rows.pop()?.into_iter().map(|value| value.expect("a value")).collect();
    let [tenant, step, attempt, undo, key, results] = <[String; 6]>::try_from(row).expect("six columns");
    let attempt = attempt.parse().expect("a number");
    Some(Claim { tenant, step, attempt, undo: undo == "t", key, results })
}

/// Claims and performs until nothing can be claimed; the steps in their order.
pub async fn work(worker: &Session) -> Vec<String> {
    let mut order = Vec::new();
    while let Some(claim) = claim(worker).await {
        claim.perform(worker).await;
        order.push(claim.name());
    }
    order
}

/// Ends every lease, and every pause before another attempt.
pub async fn let_time_pass(db: &Database<'_>) {
    let pass = "update tenant.onboarding set claim_expires = now() - interval '1 s' where status = 'running';
        update tenant.onboarding set not_before = now() - interval '1 s' where not_before > now()";
    db.superuser().await.run(pass).await;
}

pub async fn status(worker: &Session, tenant: &str) -> String {
    worker.value(&format!("select status from tenant.tenants where id = '{tenant}'")).await.expect("a state")
}

/// `step status attempts` of each step, in their order.
pub async fn steps(worker: &Session, tenant: &str) -> String {
    let sql = format!(
        "select string_agg(concat_ws(' ', step, status, attempts), ', ' order by nth) from tenant.onboarding where tenant_id = '{tenant}'"
    );
    worker.value(&sql).await.expect("steps")
}

/// What the tenant's steps have made, by step.
pub async fn made(db: &Database<'_>, tenant: &str) -> String {
    let sql =
        format!("select coalesce(string_agg(step, ' ' order by step), '') from made where tenant_id = '{tenant}'");
    db.backup().await.value(&format!("set row_security = off; {sql}")).await.expect("a list")
}
