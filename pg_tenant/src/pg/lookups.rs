//! The count of lookups ([`pg_tenant_core::Lookups`]) in shared memory, under a lock of its own.

use crate::pg::shared_memory::{Shared, Zeroed};
use pg_tenant_core::{Counted, LookupKey, Lookups};
use pgrx::pg_sys::{self, Oid};

static LOOKUPS: Shared<Lookups> = Shared::new(c"pg_tenant lookups");

// SAFETY: numbers only; zeros are an empty count.
unsafe impl Zeroed for Lookups {}

/// Asks for the memory. Called from `_PG_init` only.
pub fn init() {
    LOOKUPS.ask();
}

/// The key of this login role for this column, in this database.
pub fn key(role: Oid, table: Oid, column: i16) -> LookupKey {
    // SAFETY: a plain read of a variable of this backend.
    let database = unsafe { pg_sys::MyDatabaseId };
    LookupKey {
        database: database.to_u32(),
        role: role.to_u32(),
        relation: table.to_u32(),
        column: u32::try_from(column).unwrap_or_default(),
    }
}

/// Counts a lookup.
pub fn count(key: LookupKey, now: i64, most: Option<u64>) -> Counted {
    LOOKUPS.locked(|lookups| lookups.count(key, now, most)).unwrap_or(Counted::NoPlace)
}
