//! What the catalog says of a table: protected, not, or protected with a gap.
//!
//! The mark of protection is the fence in `pg_policy` itself ([`crate::pg::policy`]), so a dump carries it and a rename
//! does not lose it. The verdict is remembered by oid until relcache invalidation says that the table has changed. That an
//! unprotected hierarchy is one is forgotten when a table of it changes ([`hierarchies`]); what rests on other things
//! than its tables, when any table does.

mod find;
mod hierarchies;
mod memory;
mod verdict;

use crate::pg::policy::{self, Fence, Form};
use find::{find, of_postgres};
pub use memory::init;
use memory::remembered;
use pgrx::pg_sys::Oid;
pub use verdict::{Gap, Held, Protection, Rows, Sign};

/// Oids below this belong to PostgreSQL itself.
const FIRST_NORMAL_OID: u32 = 16_384;

/// How this relation is protected.
pub fn of(table: Oid) -> Protection {
    if u32::from(table) < FIRST_NORMAL_OID {
        return of_postgres(table.into()).map_or(Protection::None, Protection::Held);
    }
    match remembered(table).unwrap_or_else(|| find(table)) {
        // Asked of both tables each time: neither is told when the other changes.
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
