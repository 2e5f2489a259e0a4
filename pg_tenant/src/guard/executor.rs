//! Statements that touch a protected table: with no tenant they are refused, before the first row.
//!
//! Decided in the executor's permission check, which sees every path: SELECT, DML, MERGE, COPY, cursors, statements
//! planned before, bodies of functions, tables under views.

use crate::context::{bound, current, limits, member, system};
use crate::guard::exempt::{is_exempt, may_mend};
use crate::guard::{held, in_tenant, referential, refusals, triggered};
use crate::gucs::{self, Strict};
use crate::pg::policy::Fence;
use crate::pg::report::{Outcome, Report};
use crate::pg::{relation, role, transaction};
use crate::policy::protection::{self, Gap, Protection, Rows};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::{ACL_SELECT, Oid};

/// What the permission check answers.
#[derive(Clone, Copy)]
pub enum Verdict {
    /// Nothing to say.
    Pass,
    /// Nothing but a warning.
    Warn(Report),
    /// "No", without an error: PostgreSQL asked whether it may validate a foreign key in one query.
    No,
}

/// A relation that a statement needs rights on, and the user whose rights they are.
#[derive(Clone, Copy)]
pub struct Touched {
    pub relation: Oid,
    /// InvalidOid for the current user.
    pub as_user: Oid,
    /// The rights, as PostgreSQL's bits.
    pub rights: u64,
}

impl Touched {
    /// Whether a right is asked for that a read-only transaction has not: any but SELECT.
    fn writes(&self) -> bool {
        self.rights & !u64::from(ACL_SELECT) != 0
    }
}

/// Judges a statement by the relations it touches.
pub fn judge(touched: impl Iterator<Item = Touched>, may_raise: bool) -> Outcome<Verdict> {
    if referential::is_own_query() {
        let mut written = touched.filter(|touched| touched.writes() && current::is_set());
        return written.try_for_each(|touched| triggered::judge(touched.relation)).map(|()| Verdict::Pass);
    }
    // A bound session never calls enter: this is where its transaction begins. Only a protected table is refused. What
    // a worker's functions start is judged in the worker, and so the leader's query is again; none is started
    // unadmitted.
    let in_leader = may_raise && !transaction::is_parallel_worker();
    let admitted = if in_leader { bound::admit() } else { Ok(()) };
    if in_leader {
        limits::check(bound::limits_in_force())?;
    }
    // The oldest relation is named of several: their order is the plan's, which tells how many rows all tenants have.
    let (mut refused, mut warned) = (Oldest::default(), Oldest::default());
    for touched in touched {
        match one(touched, may_raise, admitted) {
            Ok(Verdict::Pass) => {}
            Ok(Verdict::No) => return Ok(Verdict::No),
            Ok(Verdict::Warn(report)) => warned.take(touched.relation, report),
            Err(report) => refused.take(touched.relation, report),
        }
    }
    match (refused.0, warned.0) {
        (Some((_, report)), _) => Err(report),
        (None, Some((_, report))) => Ok(Verdict::Warn(report)),
        (None, None) => Ok(Verdict::Pass),
    }
}

/// What is said of the relation that was made first.
#[derive(Clone, Copy, Default)]
struct Oldest(Option<(Oid, Report)>);

impl Oldest {
    fn take(&mut self, relation: Oid, report: Report) {
        if self.0.is_none_or(|(other, _)| relation.to_u32() < other.to_u32()) {
            self.0 = Some((relation, report));
        }
    }
}

fn one(touched: Touched, may_raise: bool, admitted: Outcome<()>) -> Outcome<Verdict> {
    let Touched { relation, as_user, rights } = touched;
    let writes = touched.writes();
    let user = if as_user == Oid::INVALID { role::current_user() } else { as_user };
    if writes && may_raise && current::is_set() {
        triggered::judge(relation)?;
    }
    let warned = match protection::of(relation) {
        Protection::None => None,
        Protection::Held(_) if !may_raise => None,
        Protection::Held(what) => {
            held::judge(relation, what, user)?;
            None
        }
        _ if may_raise && let Some(context) = current::system() => {
            system::judge(context, relation, user, writes, relation::name)?;
            None
        }
        Protection::Uncovered(_) | Protection::Shadows(_) if !may_raise => None,
        Protection::Uncovered(rows) => uncovered(relation, rows, user)?,
        Protection::Shadows(table) if in_tenant::here() => return Err(refusals::shadowed_table(relation, table)),
        Protection::Shadows(_) => None,
        // In one query PostgreSQL would see what the policies show: let it validate row by row, outside them, unless
        // that query is outside them as well.
        _ if !may_raise && referential::is_running() && role::owns(user, relation) => None,
        _ if !may_raise && !is_exempt(user) => return Ok(Verdict::No),
        _ if !may_raise => None,
        Protection::Fenced(fence) => {
            admitted?;
            if referential::is_running() && role::owns(user, relation) && referential::reaches_all() {
                return Ok(Verdict::Pass);
            }
            fenced(relation, fence, user, writes, rights)?
        }
        Protection::Broken(_) if current::tenant().is_none() && is_exempt(user) => None,
        Protection::Broken(Gap::Lost(_)) if may_mend(user, relation) => None,
        Protection::Broken(gap) => return Err(refusals::protection_incomplete(relation, gap)),
    };
    Ok(warned.map_or(Verdict::Pass, Verdict::Warn))
}

fn fenced(table: Oid, fence: Fence, user: Oid, writes: bool, rights: u64) -> Outcome<Option<Report>> {
    if current::tenant().is_some() {
        if role::bypasses_row_security(user) || (referential::is_running() && role::owns(user, table)) {
            return Err(refusals::policy_bypassed(table, user));
        }
        if !current::has_value(fence.reader) {
            return Err(refusals::tenant_type_mismatch(table, fence));
        }
        if writes && fence.membership().is_some() {
            return Err(refusals::read_only_by_membership(table));
        }
        if writes && let Some(required) = protection::requirements(table) {
            // Before the first row: whether the plan meets one is no answer.
            let mut asked = required.iter().filter(|required| required.right & rights != 0);
            asked.try_for_each(|required| member::require(&required.permission))?;
        }
        return Ok(None);
    }
    if is_exempt(user) {
        return Ok(None);
    }
    match gucs::strict() {
        Strict::on => Err(refusals::no_tenant(table)),
        Strict::log => Ok((!transaction::is_parallel_worker()).then(|| refusals::no_tenant(table))),
        Strict::off => Ok(None),
    }
}

/// Judges a relation whose rows no policy covers.
pub fn uncovered(relation: Oid, rows: Rows, user: Oid) -> Outcome<Option<Report>> {
    let name = relation::name(relation);
    let share = format!("select tenant.share({}, '<reason>');", relation::literal(relation));
    let (message, why) = match rows {
        Rows::Of(table) => (
            format!("materialized view {name} holds rows of protected table {}", relation::name(table)),
            "A materialized view has no policies: whoever may read it reads every tenant's rows.",
        ),
        Rows::Foreign => (
            format!("foreign table {name} has no policies"),
            "The other server does not know this transaction's tenant.",
        ),
    };
    let report = Report::new(Refusal::UncoveredRelation, message)
        .detail(why)
        .hint(format!("Where every tenant may see all of it, its owner says so: {share}"));
    match rows {
        _ if in_tenant::here() => Err(report),
        Rows::Of(_) if !is_exempt(user) => match gucs::strict() {
            Strict::on => Err(report),
            Strict::log => Ok(Some(report)),
            Strict::off => Ok(None),
        },
        _ => Ok(None),
    }
}
