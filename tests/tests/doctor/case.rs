//! A defect is planted: the finding is there. The remedy is run: it is gone.

use pg_tenant_tests::{Cluster, Database, Install, Session};

use crate::page;

/// A finding, and how to cause it.
pub struct Case {
    /// The finding.
    pub code: &'static str,
    /// Its object.
    pub object: &'static str,
    /// What a superuser runs to cause it, a line at a time.
    pub plant: &'static str,
    /// What takes it away where the finding has no `fix` of its own.
    pub remedy: Option<&'static str>,
}

/// A case whose finding has a `fix`.
pub const fn fixed(code: &'static str, object: &'static str, plant: &'static str) -> Case {
    Case { code, object, plant, remedy: None }
}

/// A case whose finding leaves the remedy to people.
pub const fn by_hand(code: &'static str, object: &'static str, plant: &'static str, remedy: &'static str) -> Case {
    Case { code, object, plant, remedy: Some(remedy) }
}

/// Runs the cases one after the other in one database: two tenants, and `orders`, which is protected.
///
/// `{owner}`, `{app}`, `{admin}`, `{backup}` and `{db}` in them stand for the roles and the database, `{x}` for a role
/// of the case alone.
pub async fn prove(name: &str, cases: &[Case]) {
    prove_on(Cluster::shared(), name, cases).await;
}

/// The same on a server of the test's own.
pub async fn prove_on(cluster: &Cluster, name: &str, cases: &[Case]) {
    let db = stage_on(cluster, name).await;
    for case in cases.iter().filter(|case| !Install::current().lacks(case.plant)) {
        let (code, object) = (case.code, fill(&db, case.object));
        assert!(!is_there(&db, code, &object).await, "{code} on {object} before it was planted");
        perform(&db, case.plant).await;
        let Some(finding) = seen(&db, code, &object).await else {
            panic!("{code} on {object} is missed; the doctor says\n{:#?}", report(&db, code).await)
        };
        page::must_tell_of(code, &finding);
        match (case.remedy, finding.fix) {
            (None, Some(fix)) => perform(&db, &fix).await,
            (Some(remedy), None) => perform(&db, remedy).await,
            (None, None) => panic!("{code} on {object} has no fix"),
            (Some(_), Some(fix)) => panic!("{code} on {object} has a fix of its own: {fix}"),
        }
        assert!(!is_there(&db, code, &object).await, "{code} on {object} is still there after its remedy");
        let x = fill(&db, "{x}");
        perform(&db, &format!("do $$ begin if to_regrole('{x}') is not null then drop owned by {x} cascade; drop role {x}; end if; end $$"))
            .await;
    }
}

/// A database with two tenants and a protected table `orders`.
pub async fn stage(name: &str) -> Database<'static> {
    stage_on(Cluster::shared(), name).await
}

/// The same on a server of its own: roles belong to the server, and so do findings on them.
pub async fn stage_on<'c>(cluster: &'c Cluster, name: &str) -> Database<'c> {
    let db = cluster.database(name).await;
    db.admin().await.run("select tenant.create('acme'), tenant.create('globex')").await;
    let owner = db.protector().await;
    owner.run("create table orders (tenant_id text, id bigint, note text, primary key (tenant_id, id))").await;
    owner.run("select tenant.protect('orders')").await;
    db
}

/// What the doctor says of one object.
#[derive(Debug, PartialEq)]
pub struct Finding {
    pub level: String,
    pub why: String,
    pub fix: Option<String>,
}

/// The finding, if the doctor has it; asked by a member of `tenant_admin`, in a new session.
pub async fn seen(db: &Database<'_>, code: &str, object: &str) -> Option<Finding> {
    let sql = format!(
        "select level, why, fix from tenant.doctor(every_object => true) where code = '{code}' and object = $${object}$$"
    );
    let mut rows = db.admin().await.rows(&sql).await;
    assert!(rows.len() < 2, "{code} on {object} is there {} times: {rows:?}", rows.len());
    let mut row = rows.pop()?;
    let fix = row.pop().flatten();
    let why = row.pop().flatten().expect("a why");
    Some(Finding { level: row.pop().flatten().expect("a level"), why, fix })
}

/// Whether the finding's own view has it: this takes a hundredth of what the doctor takes for all of them.
async fn is_there(db: &Database<'_>, code: &str, object: &str) -> bool {
    let view = code.to_lowercase();
    let sql = format!(
        "set search_path = pg_catalog; select 1 from tenant_internal.finding_{view} where object = $${object}$$"
    );
    !db.superuser().await.rows(&sql).await.is_empty()
}

async fn report(db: &Database<'_>, code: &str) -> Vec<Vec<Option<String>>> {
    let sql =
        format!("select code, level, object, problem from tenant.doctor(every_object => true) where code = '{code}'");
    db.admin().await.rows(&sql).await
}

/// Runs lines of SQL as a superuser, each by itself, as a person would who pastes them.
pub async fn perform(db: &Database<'_>, lines: &str) {
    let boss: Session = db.superuser().await;
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        boss.run(&fill(db, line)).await;
    }
}

/// Puts names in for `{…}`.
pub fn fill(db: &Database<'_>, text: &str) -> String {
    let roles = &db.roles;
    text.replace("{owner}", &roles.owner)
        .replace("{app}", &roles.app)
        .replace("{admin}", &roles.admin)
        .replace("{backup}", &roles.backup)
        .replace("{db}", &db.name)
        .replace("{x}", &format!("regress_{}_x", db.name))
}
