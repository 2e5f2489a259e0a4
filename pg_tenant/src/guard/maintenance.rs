//! Commands that work on whole tables, with the rows of all tenants: VACUUM, ANALYZE, CLUSTER, REINDEX, LOCK, REFRESH,
//! publications. A bound login is in its tenant outside of transaction blocks, too.

use crate::context::current;
use crate::context::session_state;
use crate::guard::{executor, exempt, in_tenant};
use crate::gucs::{self, Strict};
use crate::pg::oids;
use crate::pg::report::{Outcome, Report};
use crate::pg::{hierarchy, parts, relation, rewrite, role};
use crate::policy::protection::{self, Gap, Protection, Rows};
use pg_tenant_core::{Refusal, SystemContext};
use pgrx::pg_sys::Oid;

/// VACUUM or ANALYZE of these tables.
pub fn of(tables: &[Oid]) -> Outcome<()> {
    if !in_tenant::here() {
        return Ok(());
    }
    // The catalogs hold what all tenants have made.
    let is_of_all = |table: &Oid| {
        (1..oids::FIRST_NORMAL).contains(&u32::from(*table)) || in_tenant::concerns(parts::holder(*table))
    };
    match tables.iter().copied().find(is_of_all) {
        Some(table) => Err(in_tenant::ddl_in_tenant(table, "VACUUM or ANALYZE")),
        None => tables.iter().try_for_each(|&table| sample(table)),
    }
}

/// ANALYZE fetches rows of foreign tables (also of foreign partitions) and stores values of them as statistics, which
/// this role can read.
fn sample(table: Oid) -> Outcome<()> {
    for part in std::iter::once(table).chain(hierarchy::descendants(table)) {
        if let Protection::Uncovered(rows @ Rows::Foreign) = protection::of(part) {
            executor::uncovered(part, rows, role::current_user())?;
        }
    }
    Ok(())
}

/// The same, or CLUSTER or REINDEX, of every table of the database or of a schema.
pub fn of_all(what: &str) -> Outcome<()> {
    // All but ANALYZE run outside a transaction only, and so outside every tenant that was entered: PostgreSQL says so.
    if !in_tenant::here() || (what != "ANALYZE" && !current::is_bound()) {
        return Ok(());
    }
    Err(Report::new(Refusal::DdlInTenant, format!("{what} of all tables is refused in a tenant's transaction"))
        .detail("It would read every tenant's rows, and tell how many there are.")
        .hint("Name a table of your own, or run it in a session that has entered no tenant."))
}

/// ALTER SEQUENCE: its numbers are every tenant's.
pub fn alter_sequence(sequence: Oid) -> Outcome<()> {
    if !in_tenant::here() || relation::class(sequence).is_none_or(|class| class.temporary) {
        return Ok(());
    }
    let name = relation::name(sequence);
    Err(Report::new(Refusal::DdlInTenant, format!("sequence {name} cannot be altered in a tenant's transaction"))
        .detail("Every tenant takes its numbers from it.")
        .hint("Run migrations as its owner in a transaction that has entered no tenant."))
}

/// CREATE, ALTER or DROP of a publication or a subscription.
pub fn publish(what: &str) -> Outcome<()> {
    if !in_tenant::here() {
        return Ok(());
    }
    Err(Report::new(Refusal::DdlInTenant, format!("{what} cannot be changed in a tenant's transaction"))
        .detail("Replication sends and receives every tenant's rows.")
        .hint("Run it in a session that has entered no tenant."))
}

/// LOCK TABLE. PostgreSQL lets a user lock every table that they may write to.
pub fn lock(tables: &[(Oid, bool)]) -> Outcome<()> {
    let mut theirs = tables.iter().flat_map(|&(table, below)| protected_in(table, below)).peekable();
    if theirs.peek().is_none() {
        return Ok(());
    }
    if current::tenant().is_some() {
        let Some(table) = theirs.next() else { return Ok(()) };
        let name = relation::name(table);
        return Err(Report::new(Refusal::LockRefused, format!("cannot lock table {name} in a tenant's transaction"))
            .detail("A table lock holds up every other tenant.")
            .hint(INSTEAD_OF_A_LOCK));
    }
    let user = role::current_user();
    let may_lock = !gucs::guards() || matches!(current::system(), Some(SystemContext::Write | SystemContext::Owner));
    for table in theirs {
        if !may_lock && !role::owns(user, table) {
            let (name, user) = (relation::name(table), role::name(user));
            return Err(Report::new(Refusal::LockRefused, format!("only its owner may lock protected table {name}"))
                .detail(format!("Role \"{user}\" does not own it; a table lock holds up every tenant."))
                .hint(INSTEAD_OF_A_LOCK));
        }
        session_state::note_lock(table);
    }
    Ok(())
}

const INSTEAD_OF_A_LOCK: &str =
    "In a tenant's transaction, lock rows with select ... for update, or call tenant.advisory_lock().";

/// The protected tables that a lock of this one reaches: through a view, and below.
fn protected_in(table: Oid, below: bool) -> Vec<Oid> {
    let Some(class) = relation::class(table) else { return Vec::new() };
    let mut reached = if class.is_view() { rewrite::relations_under(table) } else { vec![table] };
    if below {
        let parents = reached.iter().copied().filter(|&at| relation::class(at).is_some_and(|class| class.has_children));
        let below: Vec<Oid> = parents.flat_map(hierarchy::descendants).collect();
        reached.extend(below);
    }
    // A parent of protected tables holds none of their rows. Their own rows are locked with it, or not at all.
    let is_theirs = |table| match protection::of(table) {
        Protection::Broken(Gap::OverProtected(_)) => false,
        _ => in_tenant::concerns(table),
    };
    reached.retain(|&table| is_theirs(table));
    reached
}

/// REFRESH MATERIALIZED VIEW: the query runs with the rights of the owner, and in the current tenant.
pub fn refresh(view: Oid) -> Outcome<()> {
    let Some(class) = relation::class(view).filter(|class| class.is_materialized_view()) else { return Ok(()) };
    let name = relation::name(view);
    if current::is_set() && !class.temporary {
        let message = format!("materialized view {name} cannot be refreshed in a tenant's transaction");
        return Err(Report::new(Refusal::MaterializedRows, message)
            .detail("It would hold this tenant's rows, or none, for whoever may read it.")
            .hint("Refresh it in a transaction that has entered no tenant."));
    }
    let Some(owner) = role::owner(view) else { return Ok(()) };
    let held = rewrite::relations_under(view).into_iter().find(|&table| in_tenant::concerns(table));
    let Some(table) = held.filter(|_| gucs::strict() == Strict::on && !may_refresh(owner)) else { return Ok(()) };
    let (table, owner) = (relation::name(table), role::name(owner));
    let message = format!("no tenant: materialized view {name} would be refreshed with the rights of role \"{owner}\"");
    Err(Report::new(Refusal::NoTenant, message)
        .detail(format!("Its query runs as its owner, to whom the policies of protected table {table} apply: it would hold no rows."))
        .hint(format!(
            "Give it to a superuser, who then refreshes it: alter materialized view {name} owner to <superuser>; What it \
             shows, it shows to every tenant: select tenant.share({}, '<reason>');",
            relation::literal(view)
        )))
}

/// Whether the executor's check will let a query of this owner's pass with no tenant.
fn may_refresh(owner: Oid) -> bool {
    current::system().is_some() || (owner == role::current_user() && exempt::is_exempt(owner))
}
