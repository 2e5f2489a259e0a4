//! Two databases with the same rows, and a fresh copy of one for every run.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join;

use super::measure::Outcome;
use super::perform::Run;
use super::script::{Names, Side, protect};
use super::{Attack, Step, measure};
use crate::{Cluster, Session, copy_in};

/// Both databases, ready to be attacked.
pub struct Stage<'c> {
    stock: Half<'c>,
    protected: Half<'c>,
}

/// What one attack gave: on the stock policy, on pg_tenant, and the codes of what the doctor found there that was not
/// there before.
#[derive(Debug)]
pub struct Seen {
    /// On the stock policy.
    pub stock: Outcome,
    /// On pg_tenant.
    pub ours: Outcome,
    /// What the doctor says of the database afterwards.
    pub found: BTreeSet<String>,
}

/// One database that is copied for every attack, and the roles of its side: what an attack does to a role stays there.
struct Half<'c> {
    cluster: &'c Cluster,
    names: Names,
    side: Side,
    template: String,
    /// What the doctor finds before an attack.
    before: BTreeSet<String>,
}

impl<'c> Stage<'c> {
    /// Builds both databases. `rows` are lines for `COPY orders (id, tenant_id, total, note)`; `a` attacks, `b` is one
    /// of the others.
    pub async fn new(cluster: &'c Cluster, rows: &str, a: &str, b: &str) -> Stage<'c> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("regress_attack{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let half = |side, name: &str| {
            let role = |role: &str| format!("{prefix}_{name}_{role}");
            let names =
                Names { a: a.into(), b: b.into(), app: role("app"), owner: role("owner"), backup: role("backup") };
            Half { cluster, names, side, template: format!("{prefix}_{name}"), before: BTreeSet::new() }
        };
        let mut stage = Stage { stock: half(Side::Stock, "stock"), protected: half(Side::Protected, "protected") };
        stage.stock.build(rows).await;
        stage.protected.build(rows).await;
        stage
    }

    /// Runs one attack on a fresh copy of each: what came out on the stock policy, and on pg_tenant.
    pub async fn run(&self, attack: &Attack) -> (Outcome, Outcome) {
        let ((stock, _), (ours, _)) =
            join(self.stock.run(attack.steps, false), self.protected.run(attack.steps, false)).await;
        (stock, ours)
    }

    /// The same, and the doctor looks at what is left.
    pub async fn examine(&self, steps: &[Step]) -> Seen {
        let ((stock, _), (ours, found)) = join(self.stock.run(steps, false), self.protected.run(steps, true)).await;
        Seen { stock, ours, found }
    }
}

impl Half<'_> {
    async fn run(&self, steps: &[Step], doctor: bool) -> (Outcome, BTreeSet<String>) {
        let (admin, copy) = (self.cluster.superuser().await, format!("{}_copy", self.template));
        admin.run(&format!("create database {copy} template {}", self.template)).await;
        let mut run = Run::new(self.cluster, &self.names, self.side, copy.clone());
        let dba = self.connect(&copy, "postgres").await;
        for step in steps {
            run.step(step).await;
        }
        let mut outcome = run.finish();
        let changed = dba.query_one(&measure::changed_sql(&self.names.a), &[]).await;
        outcome.changed = changed.expect("count what was changed").get::<_, i64>(0) as u64;
        let found = if doctor { findings(&dba).await } else { BTreeSet::new() };
        admin.run(&format!("drop database {copy} with (force)")).await;
        admin.run(&as_before(&self.names)).await;
        // Stages can stand side by side: what the others did to their roles is not of this one.
        let app = &self.names.app;
        let prefix = app.trim_end_matches("app");
        let here = |finding: &&String| !finding.contains("regress_attack") || finding.contains(prefix);
        let new = |finding: &&String| here(finding) && !self.before.contains(&finding.replace(&copy, &self.template));
        let codes = found.iter().filter(new).map(|finding| finding[..4].to_owned());
        (outcome, codes.collect())
    }

    async fn build(&mut self, rows: &str) {
        let Names { app, owner, backup, .. } = &self.names;
        let (admin, database) = (self.cluster.superuser().await, &self.template);
        admin.run(&format!("create role {app} login; create role {owner} login; create role {backup} bypassrls")).await;
        admin.run(&format!("create database {database}")).await;
        let dba = self.connect(database, "postgres").await;
        dba.run("create table orders (id bigint, tenant_id uuid not null, total numeric, note text, primary key (tenant_id, id))")
            .await;
        let copied =
            copy_in(&dba, "copy orders (id, tenant_id, total, note) from stdin", [rows.to_owned()].into_iter());
        copied.await.expect("load the rows");
        dba.run(&format!(
            "create schema hidden; create table hidden.pristine as table orders; analyze;
             alter table orders owner to {owner}; grant select, insert, update, delete on orders to {app};
             grant select on orders to {backup}; grant create on schema public to {owner};
             create schema scratch; grant usage, create on schema scratch to {app}"
        ))
        .await;
        if self.side == Side::Protected {
            dba.run(&format!(
                "create extension pg_tenant; grant tenant_user to {app}; grant tenant_admin, tenant_user to {owner};
                 select tenant.create(id) from (select distinct tenant_id from hidden.pristine) t (id)"
            ))
            .await;
        }
        self.connect(database, owner).await.run(&protect(self.side, "orders")).await;
        if self.side == Side::Protected {
            self.before = findings(&dba).await;
        }
        drop(dba);
        self.cluster.until_left(database).await;
    }

    async fn connect(&self, database: &str, role: &str) -> Session {
        Session::connect(&self.cluster.config(database, role)).await
    }
}

/// What the doctor finds: code and object.
async fn findings(dba: &Session) -> BTreeSet<String> {
    let rows = dba.rows("select code || ' ' || object from tenant.doctor(every_object => true)").await;
    rows.into_iter().flatten().flatten().collect()
}

/// Takes back what an attack did to the roles.
fn as_before(names: &Names) -> String {
    let Names { app, owner, backup, .. } = names;
    format!(
        "lock table pg_parameter_acl in share row exclusive mode; -- rows of the catalogue run at once
         alter role {app} reset all; alter role {backup} reset all; alter role {app} nosuperuser nobypassrls;
         revoke {owner}, {backup}, pg_execute_server_program, pg_monitor, pg_read_all_data from {app};
         revoke set on parameter app.tenant, session_replication_role from {app}"
    )
}

/// Two tenants and a few rows of each: the tenants' ids, and lines for [`Stage::new`].
pub fn rows_for_test() -> (String, String, String) {
    let id = |n: u32| format!("aaaaaaaa-0000-4000-8000-{n:012}"); // with letters, which have two cases
    let mut rows = String::new();
    for n in 0..60 {
        let _ = writeln!(rows, "{n}\t{}\t{n}.50\tnote {n}", id(1 + n % 3));
    }
    (rows, id(1), id(2))
}
