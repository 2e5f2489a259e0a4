//! Statements that touch a protected table: with no tenant they are refused, before the first row.
//!
//! Decided in the executor's permission check, which sees every path: SELECT, DML, MERGE, COPY, cursors, statements
//! planned before, bodies of functions, tables under views.

use crate::context::{bound, current, limits, system};
use crate::guard::{held, in_tenant, referential, triggered};
use crate::gucs::{self, Strict};
use crate::pg::policy::{Fence, Reader};
use crate::pg::report::{Outcome, Report};
use crate::pg::{relation, role, transaction};
use crate::policy::protection::{self, Gap, Protection, Rows, Sign};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

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
    /// Whether the right is one to write.
    pub writes: bool,
}

/// Judges a statement by the relations it touches.
pub fn judge(touched: impl Iterator<Item = Touched>, may_raise: bool) -> Outcome<Verdict> {
    if referential::is_own_query() {
        let mut written = touched.filter(|touched| touched.writes && current::is_set());
        return written.try_for_each(|touched| triggered::judge(touched.relation)).map(|()| Verdict::Pass);
    }
    // A bound session never calls enter: this is where its transaction begins. Only a protected table is refused. What a
    // worker's functions start is judged in the worker, and so the leader's query is again; none is started unadmitted.
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
    let Touched { relation, as_user, writes } = touched;
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
        Protection::Shadows(table) if in_tenant::here() => return Err(shadows(relation, table)),
        Protection::Shadows(_) => None,
        // In one query PostgreSQL would see what the policies show: let it validate row by row, outside them, unless that
        // query is outside them as well.
        _ if !may_raise && referential::is_running() && role::owns(user, relation) => None,
        _ if !may_raise && !is_exempt(user) => return Ok(Verdict::No),
        _ if !may_raise => None,
        Protection::Fenced(fence) => {
            admitted?;
            if referential::is_running() && role::owns(user, relation) && referential::reaches_all() {
                return Ok(Verdict::Pass);
            }
            fenced(relation, fence, user, writes)?
        }
        Protection::Broken(_) if current::tenant().is_none() && is_exempt(user) => None,
        Protection::Broken(Gap::Lost(_)) if may_mend(user, relation) => None,
        Protection::Broken(gap) => return Err(broken(relation, gap)),
    };
    Ok(warned.map_or(Verdict::Pass, Verdict::Warn))
}

fn fenced(table: Oid, fence: Fence, user: Oid, writes: bool) -> Outcome<Option<Report>> {
    if current::tenant().is_some() {
        if role::bypasses_row_security(user) || (referential::is_running() && role::owns(user, table)) {
            return Err(bypassed(table, user));
        }
        if !current::has_value(fence.reader) {
            return Err(no_such_value(table, fence));
        }
        if writes && fence.membership().is_some() {
            return Err(of_several(table));
        }
        return Ok(None);
    }
    if is_exempt(user) {
        return Ok(None);
    }
    match gucs::strict() {
        Strict::on => Err(no_tenant(table)),
        Strict::log => Ok((!transaction::is_parallel_worker()).then(|| no_tenant(table))),
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

fn shadows(temporary: Oid, table: Oid) -> Report {
    let (temporary, name) = (relation::name(temporary), relation::name(table));
    Report::new(Refusal::ShadowedTable, format!("{temporary} stands in front of protected table {name}"))
        .detail("The statement would read or write this session's temporary relation instead.")
        .hint(format!("Drop the temporary relation, or name the table with its schema: {name}."))
}

/// Who works on all tenants with no tenant entered: a superuser at work, and a backup: BYPASSRLS with
/// `row_security = off`, which is what pg_dump sets. Not a function, a view or a SET ROLE that borrows their rights.
pub fn is_exempt(user: Oid) -> bool {
    let own_rights = user == role::current_user() && user == role::outer_user();
    own_rights
        && role::bypasses_row_security(user)
        && role::bypasses_row_security(role::session_user())
        && (role::is_superuser_session() || role::row_security_is_off())
}

/// Who works with a table that has lost its fence, with no tenant entered: its owner, who fills and protects it, and who
/// never enters tenants.
pub fn may_mend(user: Oid, table: Oid) -> bool {
    let owns = || user == role::current_user() && user == role::outer_user() && role::owns(user, table);
    let enters = || {
        let users = [user, role::outer_user(), role::session_user()];
        role::by_name("tenant_user").is_some_and(|group| users.into_iter().any(|user| role::is_member(user, group)))
    };
    current::tenant().is_none() && (owns() || !enters())
}

/// The refusal of a statement on this table with no tenant.
pub fn no_tenant(table: Oid) -> Report {
    let (name, user) = (relation::name(table), role::current_user());
    let is_in = |group| role::by_name(group).is_some_and(|group| role::is_member(user, group));
    let begin = if transaction::is_block() { "" } else { "begin; " };
    // Of drivers and ORMs many show the message alone: it says what to do.
    let (message, hint) = if is_in("tenant_user") && current::ended_with_its_statement() {
        (
            "and the tenant that was entered has ended with its statement: begin; before tenant.enter".into(),
            "A tenant lasts as long as its transaction. In one: begin; select tenant.enter('<tenant id>'); <statements>; commit;",
        )
    } else if !is_in("tenant_user") && !role::is_superuser(user) && role::owns(user, table) {
        (
            format!("from its owner too: {begin}select tenant.enter_system_as_owner('<reason>') first"),
            "A superuser allows it to a role: grant tenant_system to <role>; Of one tenant: grant tenant_user to <role>;",
        )
    } else if !is_in("tenant_user") && is_in("tenant_admin") {
        (
            format!("and this transaction has entered no context: {begin}select tenant.enter_system('<reason>') first"),
            "A superuser allows it to a role: grant tenant_system to <role>; Of one tenant: grant tenant_user to <role>;",
        )
    } else {
        (
            format!("and this transaction has entered none: {begin}select tenant.enter('<tenant id>') first"),
            "In the same transaction, first: select tenant.enter('<tenant id>');",
        )
    };
    Report::new(Refusal::NoTenant, format!("no tenant: table {name} is protected {message}"))
        .detail(format!("Role \"{}\" ran the statement.", role::name(user)))
        .hint(hint)
}

/// The refusal of what would change, or lock, a row that other tenants have as well.
fn of_several(table: Oid) -> Report {
    let name = relation::name(table);
    Report::new(Refusal::ReadOnlyByMembership, format!("table {name} is read-only in a tenant's transaction"))
        .detail("Its rows belong to every tenant that has them as members: the others would see the change, or wait for it.")
        .hint("Change it outside of tenants: select tenant.enter_system('<reason>', write => true);")
}

fn bypassed(table: Oid, user: Oid) -> Report {
    let (name, user) = (relation::name(table), role::name(user));
    Report::new(Refusal::PolicyBypassed, format!("row-level security of table {name} would be bypassed"))
        .detail(format!("The statement reaches it with the rights of role \"{user}\", to whom policies do not apply."))
        .hint("Use a role without SUPERUSER and BYPASSRLS: for a view, security_invoker = true; for a function, another owner.")
}

fn no_such_value(table: Oid, fence: Fence) -> Report {
    let kind = match fence.reader {
        Reader::Uuid => "a uuid",
        Reader::Bigint => "a bigint",
        Reader::Text => "a text",
    };
    let tenant = current::tenant().map(|id| id.to_string()).unwrap_or_default();
    let (name, column) = (relation::name(table), relation::column_name(table, fence.column));
    Report::new(Refusal::TenantTypeMismatch, format!("tenant \"{tenant}\" has no value in table {name}"))
        .detail(format!("Its tenant column \"{column}\" is read as {kind}, which this tenant id is not."))
        .hint("Key the table by text, or register the tenant under the id that the application's tables use.")
}

fn broken(table: Oid, gap: Gap) -> Report {
    let name = relation::name(table);
    let literal = relation::literal(table);
    let hint = match gap {
        Gap::Lost(_) => format!(
            "Its owner protects it: select tenant.protect({literal}); or, where it is no tenant's: \
             select tenant.share({literal}, '<reason>');"
        ),
        Gap::UnderProtected(parent) => completes(parent),
        Gap::Through(through) => format!(
            "Its owner protects it: select tenant.protect({}); or: select tenant.unprotect({literal}, '<reason>');",
            relation::literal(through)
        ),
        Gap::NotEnabled | Gap::NotForced | Gap::OverProtected(_) => completes(table),
        Gap::Torn(fence) => format!(
            "The owner completes it: select tenant.protect({literal}, {}, shared_rows => true);",
            relation::quoted(&relation::column_name(table, fence.column))
        ),
    };
    let why = match gap {
        Gap::NotEnabled => "It has a tenant policy, but row-level security is not enabled.".into(),
        Gap::NotForced => "It has a tenant policy, but row-level security is not forced.".into(),
        Gap::UnderProtected(parent) => {
            format!("It belongs to protected table {} and has no tenant policy.", relation::name(parent))
        }
        Gap::OverProtected(child) => {
            format!("Protected table {} belongs to it, and it has no tenant policy.", relation::name(child))
        }
        Gap::Through(through) => {
            format!("It is reached by membership through table {}, which has no tenant policy.", relation::name(through))
        }
        Gap::Lost(Sign::Journal) => "It was protected, as the journal says, and has no tenant policy any more.".into(),
        Gap::Lost(Sign::Default) => {
            "A column's default reads the current tenant, and it has no tenant policy: it is a copy of a protected table, or \
             was restored in part."
                .into()
        }
        Gap::Torn(_) => "It shows rows of no tenant to every one, and lacks a policy that keeps tenants from writing them, or from \
             reading more."
            .into(),
        Gap::Lost(Sign::Forced) => "Row-level security is forced, and it has no policy: it was restored in part.".into(),
    };
    Report::new(Refusal::ProtectionIncomplete, format!("the protection of table {name} is incomplete"))
        .detail(why)
        .hint(hint)
}

fn completes(root: Oid) -> String {
    format!("The owner completes it: select tenant.protect({});", relation::literal(root))
}
