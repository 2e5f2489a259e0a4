//! What a command has created, altered or is about to drop, as the object-access hook sees it: the object itself,
//! however the command named it. Inside a tenant nothing of a protected table may change, and no code may be left
//! behind that would run for others.

use crate::context::current;
use crate::guard::{foreign_key, function, in_tenant, weakened};
use crate::gucs;
use crate::pg::foreign_key::{self as key, CONSTRAINT};
use crate::pg::oids;
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

/// Catalogs of objects that run code, or give privileges, in later transactions: functions, operators, casts, default
/// privileges.
const STAYS: [(Oid, &str); 4] = [
    (pg_sys::ProcedureRelationId, "a function"),
    (oids::OperatorRelationId, "an operator"),
    (oids::CastRelationId, "a cast"),
    (oids::DefaultAclRelationId, "a default privilege"),
];

/// The catalog `pg_attrdef`. The hook names the table, and not the default, where one is made.
const DEFAULT: Oid = oids::AttrDefaultRelationId;

/// Catalogs of code that runs with a relation: on an unprotected relation it would run for the next tenant. (A
/// protected one cannot be changed inside a tenant at all.)
const RUNS: [(Oid, &str); 5] = [
    (oids::RewriteRelationId, "a view or a rule"),
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

/// A bound login may leave code behind: it runs only for those who call it. A function in `pg_temp` can only be called
/// by its qualified name, and a session that has one is not pristine.
fn stays(class: Oid, object: Oid) -> Outcome<()> {
    let Some((_, what)) = STAYS.iter().find(|(catalog, _)| *catalog == class) else { return Ok(()) };
    if class == pg_sys::ProcedureRelationId && proc::is_temporary(object) {
        return Ok(());
    }
    session_object_refused(what)
}

/// Objects that are dropped with a temporary relation are judged with that relation.
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

/// Outside tenants: the changed object may belong to a protected table, or a constraint of one may be dropped.
pub fn note(class: Oid, object: Oid) -> Outcome<()> {
    if let Some(table) = parts::table_of(class, object) {
        weakened::note(table);
    }
    Ok(())
}
