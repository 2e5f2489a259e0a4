//! What the catalog says of a table: protected, not, or protected with a gap.
//!
//! A table is protected if `pg_policy` has a fence of it ([`crate::pg::policy`]); so a dump carries the protection and
//! a rename does not lose it. The verdict is remembered by oid until a relcache invalidation says that the table has
//! changed. That a hierarchy is unprotected is remembered until one of its tables changes ([`hierarchies`]); verdicts
//! that depend on anything else, until any table changes.

mod find;
mod hierarchies;
mod memory;
mod verdict;

use crate::pg::oids;
use crate::pg::policy::{self, Fence, Form};
use find::{find, of_postgres};
use memory::remembered;
pub use memory::{init, requirements};
use pgrx::pg_sys::Oid;
pub use verdict::{Gap, Held, Protection, Rows, Sign};

/// How this relation is protected.
pub fn of(table: Oid) -> Protection {
    if !oids::is_of_users(table) {
        return of_postgres(table.into()).map_or(Protection::None, Protection::Held);
    }
    match remembered(table).unwrap_or_else(|| find(table)) {
        // Both tables are looked at each time, since a change of one does not invalidate the other.
        Protection::Fenced(fence) if let Some(through) = open_through(table, fence) => {
            Protection::Broken(Gap::Through(through))
        }
        verdict => verdict,
    }
}

/// The join table, not protected by a tenant column, of a table that is reached by membership.
fn open_through(table: Oid, fence: Fence) -> Option<Oid> {
    let open = |fence: &Fence| {
        let through = fence.membership()?.through;
        match remembered(through).unwrap_or_else(|| find(through)) {
            Protection::Fenced(of_its_own) if of_its_own.form == Form::Own => None,
            _ => Some(through),
        }
    };
    match fence.alone {
        true => open(&fence),
        false => policy::fences(table).iter().find_map(open),
    }
}

/// All fences of the table, whether or not it has a gap.
pub fn fences(table: Oid) -> Vec<Fence> {
    if fence(table).is_some() { policy::fences(table) } else { Vec::new() }
}

/// The fences that a plan must have where it reads the table under its policies. Where the table has a gap, the
/// executor's check refuses whatever reads it.
pub fn fences_in_plan(table: Oid) -> Vec<Fence> {
    match of(table) {
        Protection::Fenced(fence) if fence.alone => vec![fence],
        Protection::Fenced(_) => policy::fences(table),
        _ => Vec::new(),
    }
}

/// The table's fence, whether or not it has a gap.
pub fn fence(table: Oid) -> Option<Fence> {
    match of(table) {
        Protection::Fenced(fence) => Some(fence),
        Protection::None | Protection::Uncovered(_) | Protection::Shadows(_) | Protection::Held(_) => None,
        Protection::Broken(_) => policy::fence(table),
    }
}
