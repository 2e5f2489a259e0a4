//! Plans that would read a fenced table around its fence ([`crate::pg::plans`]): refused when they are made, whether or not
//! a tenant is entered, since a plan that is kept may be run in one.

use crate::context::slot;
use crate::error::Report;
use crate::guard::strict;
use crate::pg::plans::Unfenced;
use crate::pg::relation;
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

/// The refusal; with no tenant in the words of every statement that has none.
pub fn report(unfenced: Unfenced) -> Report {
    match unfenced {
        Unfenced::Scan(table) | Unfenced::BlindMerge(table) if !slot::is_set() => strict::no_tenant(table),
        Unfenced::Scan(table) => without_fence(table),
        Unfenced::BlindMerge(table) => blind_merge(table),
    }
}

fn without_fence(table: Oid) -> Report {
    Report::new(Refusal::FenceMissing, format!("the plan reads table {} without its fence", relation::name(table)))
        .detail("PostgreSQL would evaluate the statement's conditions for every tenant's rows, or show them.")
        .hint("Write the statement another way, and report this one. A library that plans scans of its own may be the reason.")
}

fn blind_merge(table: Oid) -> Report {
    let name = relation::name(table);
    Report::new(Refusal::PolicyBypassed, format!("row-level security of table {name} would be bypassed"))
        .detail("A MERGE that reads no column of its target visits every tenant's rows: its conditions run for each.")
        .hint("Join on a column of the table: merge into ... t using ... s on t.id = s.id ...")
}
