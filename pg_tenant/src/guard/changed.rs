//! What a command has made, changed or is about to drop, as the object-access hook sees it: the object, and not the words
//! that named it. Inside a tenant's transaction no part of a protected table is, and no code that would stay for others.

use crate::context::current;
use crate::guard::{foreign_key, function, in_tenant, weakened};
use crate::gucs;
use crate::pg::foreign_key::{self as key, CONSTRAINT};
use crate::pg::report::{Outcome, Report};
use crate::pg::{extension, parts, policy, proc, relation, trigger};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::{self, Oid};

/// What was done to the object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Created,
    Altered,
    Dropped,
}

/// Catalogs of what runs, or gives rights, in later transactions: functions, operators, casts, default privileges.
const STAYS: [(Oid, &str); 4] = [
    (pg_sys::ProcedureRelationId, "a function"),
    (Oid::from_u32(2617), "an operator"),
    (Oid::from_u32(2605), "a cast"),
    (Oid::from_u32(826), "a default privilege"),
];

/// The catalog `pg_attrdef`. The hook names the table, and not the default, where one is made.
const DEFAULT: Oid = Oid::from_u32(2604);

/// Catalogs of what a relation runs: for the next tenant, where it stays and no fence is on it. (What is protected is not
/// changed in a tenant's transaction at all.)
const RUNS: [(Oid, &str); 5] = [
    (Oid::from_u32(2618), "a view or a rule"),
    (trigger::CATALOG, "a trigger"),
    (DEFAULT, "a default"),
    (policy::POLICY, "a policy"),
    (CONSTRAINT, "a check"),
];

/// Judges a change of the catalog.
pub fn judge(done: Done, class: Oid, object: Oid) -> Outcome<()> {
    if class == CONSTRAINT && done != Done::Dropped {
        foreign_key::judge(object)?;
    }
    if !current::is_set() {
        return Ok(());
    }
    if done != Done::Dropped {
        stays(class, object)?;
    }
    if class == trigger::CATALOG && done == Done::Created {
        function::judge(trigger::function(object))?;
    }
    let what = match done {
        Done::Created => "a CREATE",
        Done::Altered => "an ALTER",
        Done::Dropped => "a DROP",
    };
    let table = if class == DEFAULT && done == Done::Created { Some(object) } else { parts::table_of(class, object) };
    let Some(table) = table else { return Ok(()) };
    if guarded(table) && extension::is_installed() {
        return Err(in_tenant::ddl_in_tenant(table, what));
    }
    if done == Done::Dropped { Ok(()) } else { runs(class, object, table) }
}

fn guarded(table: Oid) -> bool {
    relation::class(table).is_some_and(|class| !class.temporary)
        && (policy::fence(table).is_some() || in_tenant::concerns(table))
}

/// A login that is bound may keep code of its own: who calls it is not its affair. A function in `pg_temp` is called by
/// that name only, and no session that has one is pristine.
fn stays(class: Oid, object: Oid) -> Outcome<()> {
    let Some((_, what)) = STAYS.iter().find(|(catalog, _)| *catalog == class) else { return Ok(()) };
    if class == pg_sys::ProcedureRelationId && proc::is_temporary(object) {
        return Ok(());
    }
    session_object_refused(what)
}

/// What goes with a temporary relation is that relation's affair.
fn runs(class: Oid, object: Oid, relation: Oid) -> Outcome<()> {
    let Some((_, what)) = RUNS.iter().find(|(catalog, _)| *catalog == class) else { return Ok(()) };
    let stays = relation::class(relation).is_some_and(|class| !class.temporary);
    let runs_nothing = match class {
        CONSTRAINT => !key::is_check(object),
        trigger::CATALOG => trigger::is_internal(object),
        _ => false,
    };
    if !stays || runs_nothing {
        return Ok(());
    }
    session_object_refused(what)
}

fn session_object_refused(what: &str) -> Outcome<()> {
    if current::is_bound() || !gucs::guards() || !extension::is_installed() {
        return Ok(());
    }
    Err(Report::new(Refusal::SessionObjectRefused, format!("{what} would outlive this tenant's transaction"))
        .detail("It would take part in other tenants' transactions.")
        .hint("Make it in a transaction that has entered no tenant, as a migration does."))
}

/// With no tenant: what was changed may be a protected table's, or a constraint of it may go.
pub fn note(class: Oid, object: Oid) -> Outcome<()> {
    if let Some(table) = parts::table_of(class, object) {
        weakened::note(table);
    }
    Ok(())
}
