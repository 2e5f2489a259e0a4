//! New tables. Inside a tenant nobody may make a table that could hold rows of the tenant without protection; outside,
//! a table that becomes a partition or child of a protected one is protected by the same command.

use crate::context::current;
use crate::guard::exempt::is_exempt;
use crate::guard::in_tenant;
use crate::gucs::{self, NewTables};
use crate::pg::command::New;
use crate::pg::report::{Outcome, Report};
use crate::pg::{extension, relation, role};
use crate::policy::protection::{self, Gap, Protection, Sign};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

/// What is still to do for a table that a command has made or moved.
#[derive(Clone, Copy)]
pub enum Todo {
    Nothing,
    /// Protect it as its parent is.
    Protect {
        table: Oid,
        parent: Oid,
    },
    /// See whether it holds tenants' rows, and warn.
    Look {
        relation: Oid,
    },
}

/// Judges a CREATE TABLE before it runs.
pub fn judge(new: &New) -> Outcome<()> {
    let refuses = !new.temporary && gucs::guards() && gucs::new_tables() == NewTables::refuse;
    // A superuser may copy the columns alone, to protect the table and attach it as a partition.
    let copy = |&&(table, defaults): &&(Oid, bool)| {
        refuses && in_tenant::fence(table).is_some() && (defaults || !is_exempt(role::current_user()))
    };
    if let Some(&(table, _)) = new.like.iter().find(copy) {
        return Err(new_table_refused_as_copy(table));
    }
    if !in_tenant::here() {
        return Ok(());
    }
    if let Some(&parent) = new.parents.iter().find(|&&parent| in_tenant::fence(parent).is_some()) {
        return Err(in_tenant::ddl_in_tenant(parent, "giving it a partition or a child"));
    }
    if !new.temporary && gucs::new_tables() != NewTables::allow {
        return Err(Report::new(Refusal::UnprotectedCopy, "a new table cannot be created in a tenant's transaction")
            .detail("It could be filled with this tenant's rows, and has no policy to keep other tenants from them.")
            .hint("Use a temporary table with on commit drop, or create and protect the table first."));
    }
    Ok(())
}

/// Judges CREATE TABLE AS, SELECT INTO and CREATE MATERIALIZED VIEW before they run.
pub fn table_as(materialized_view: bool, temporary: bool, reads: &[Oid]) -> Outcome<()> {
    let exempt = is_exempt(role::current_user());
    let held = || reads.iter().copied().find(|&table| in_tenant::fence(table).is_some());
    if let Some(table) = held().filter(|_| materialized_view && gucs::guards()) {
        let name = relation::name(table);
        let message = format!("a materialized view would hold rows of protected table {name}");
        return Err(Report::new(Refusal::MaterializedRows, message)
            .detail("A materialized view has no policies: whoever may read it reads every tenant's rows.")
            .hint("Use a view with security_invoker = true, or a table that tenant.protect() protects."));
    }
    if let Some(table) = held().filter(|_| gucs::guards() && gucs::new_tables() == NewTables::refuse && !exempt) {
        return Err(new_table_refused_as_copy(table));
    }
    if current::entered().is_some() && !temporary {
        let (whose, rows) = match current::system() {
            Some(_) => ("a system context", "every tenant's rows"),
            None => ("a tenant's transaction", "this tenant's rows"),
        };
        return Err(Report::new(Refusal::UnprotectedCopy, format!("a new table cannot be filled in {whose}"))
            .detail(format!("It would hold {rows}, and have no policy to keep other tenants from them."))
            .hint(
                "Use a temporary table with on commit drop, or create and protect the table first and insert into it.",
            ));
    }
    Ok(())
}

/// A trigger runs with the rights of whoever writes to the table: the trigger of another user would run in the
/// transactions of all tenants.
pub fn trigger(table: Oid) -> Outcome<()> {
    if !gucs::guards() || in_tenant::fence(table).is_none() || role::owns(role::current_user(), table) {
        return Ok(());
    }
    let (name, user) = (relation::name(table), role::name(role::current_user()));
    Err(Report::new(Refusal::TriggerRefused, format!("only its owner may put a trigger on protected table {name}"))
        .detail(format!("Role \"{user}\" does not own it; the trigger would run in every tenant's transactions."))
        .hint(format!("Let the owner create it, and take the privilege away: revoke trigger on {name} from {user};")))
}

/// What is still to do after the command, for the table that it has put below a protected one or the view that it has
/// made. Nothing in a database where the extension is not, or not completely, installed.
pub fn complete(relation: Oid) -> Outcome<Todo> {
    let mode = gucs::new_tables();
    if relation == Oid::INVALID || mode == NewTables::allow || !gucs::guards() || !extension::is_complete() {
        return Ok(Todo::Nothing);
    }
    match (protection::of(relation), mode) {
        (Protection::Broken(Gap::UnderProtected(parent)), NewTables::refuse) => {
            Err(new_table_refused(relation, parent))
        }
        (Protection::Broken(Gap::Lost(Sign::Journal)), NewTables::refuse) => {
            Err(new_table_refused_for_its_name(relation))
        }
        (Protection::Broken(Gap::UnderProtected(parent)), _) => Ok(Todo::Protect { table: relation, parent }),
        (Protection::None, NewTables::warn) => Ok(Todo::Look { relation }),
        _ => Ok(Todo::Nothing),
    }
}

/// A table has got a new name. Refuses it if a protected table had that name.
pub fn moved(table: Oid) -> Outcome<()> {
    let refuses = gucs::guards() && gucs::new_tables() == NewTables::refuse && extension::is_complete();
    match refuses.then(|| protection::of(table)) {
        Some(Protection::Broken(Gap::Lost(Sign::Journal))) => Err(new_table_refused_for_its_name(table)),
        _ => Ok(()),
    }
}

fn new_table_refused_for_its_name(table: Oid) -> Report {
    let name = relation::name(table);
    Report::new(Refusal::NewTableRefused, format!("table {name} has no protection and the name of one that had"))
        .detail("pg_tenant.new_tables is refuse.")
        .hint("Create the table under another name, tenant.protect() it, then rename it.")
}

/// TN060: a table is created from the definition of a protected one.
pub fn new_table_refused_as_copy(table: Oid) -> Report {
    let name = relation::name(table);
    Report::new(Refusal::NewTableRefused, format!("a copy of protected table {name} would have no protection"))
        .detail("pg_tenant.new_tables is refuse.")
        .hint("Create the table with its columns written out, tenant.protect() it, then fill it.")
}

fn new_table_refused(table: Oid, parent: Oid) -> Report {
    let (name, parent) = (relation::name(table), relation::name(parent));
    Report::new(Refusal::NewTableRefused, format!("table {name} has no protection and would belong to {parent}"))
        .detail("pg_tenant.new_tables is refuse.")
        .hint(format!("Create the table by itself, tenant.protect() it, then attach it to {parent}."))
}
