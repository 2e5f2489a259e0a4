//! Plans that would read a protected table without its fence ([`crate::pg::plans`]). They are refused when they are
//! made, whether or not a tenant is entered, since a stored plan may later run inside one.

use crate::context::{current, owner};
use crate::guard::{function, refusals};
use crate::gucs;
use crate::pg::plans::Unfenced;
use crate::pg::policy::Fence;
use crate::pg::report::{Outcome, Report};
use crate::pg::{proc, relation};
use crate::policy::protection;
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

/// The fences that a plan must have where it reads this table with the rights of `user`, InvalidOid for the current
/// one.
pub fn of(table: Oid, user: Oid) -> Vec<Fence> {
    if owner::is_lifted(table, user) { Vec::new() } else { protection::fences_in_plan(table) }
}

/// Judges a plan that lacks a fence. With no tenant entered, the error is TN001, as for every other statement.
pub fn judge(unfenced: Unfenced) -> Outcome<()> {
    Err(match unfenced {
        Unfenced::Sampled(..) if gucs::side_channels_allowed() => return Ok(()),
        Unfenced::Scan(table) | Unfenced::BlindMerge(table) | Unfenced::Sampled(table, _) if !current::is_set() => {
            refusals::no_tenant(table)
        }
        Unfenced::Scan(table) => fence_missing(table),
        Unfenced::BlindMerge(table) => policy_bypassed_by_merge(table),
        Unfenced::Sampled(_, method) => function::side_channel_refused(&format!("TABLESAMPLE {}", proc::name(method))),
    })
}

fn fence_missing(table: Oid) -> Report {
    Report::new(Refusal::FenceMissing, format!("the plan reads table {} without its fence", relation::name(table)))
        .detail("PostgreSQL would evaluate the statement's conditions for every tenant's rows, or show them.")
        .hint("Write the statement another way, and report this one. A library that plans scans of its own may be the reason.")
}

fn policy_bypassed_by_merge(table: Oid) -> Report {
    let name = relation::name(table);
    Report::new(Refusal::PolicyBypassed, format!("row-level security of table {name} would be bypassed"))
        .detail("A MERGE that reads no column of its target visits every tenant's rows: its conditions run for each.")
        .hint("Join on a column of the table: merge into ... t using ... s on t.id = s.id ...")
}
