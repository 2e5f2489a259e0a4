//! What this backend remembers of the registry.
//!
//! Entering costs no query: an entry is read once and kept until `tenant.tenants` changes anywhere, which relcache
//! invalidation tells every backend and hot standby (see `sql/schema/03_registry.sql` for the trigger). An entry is kept
//! only if no invalidation arrived while it was read.

use crate::context::limits::Limits;
use crate::pg::{invalidation, registry_row};
use pg_tenant_core::{TenantId, TenantStatus};
use pgrx::pg_sys::Oid;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};

/// At most this many tenants are remembered; past it the cache begins anew.
const CAPACITY: usize = 4096;

/// An admitted tenant.
#[derive(Clone, Copy)]
pub struct Admitted {
    pub limits: Limits,
}

#[derive(Clone, Copy)]
pub enum Entry {
    Known { status: TenantStatus, limits: Limits },
    UnknownStatus,
    Absent,
}

thread_local! {
    static EPOCH: Cell<u64> = const { Cell::new(0) };
    /// The oid of `tenant.tenants`, while entries are remembered.
    static TABLE: Cell<Option<Oid>> = const { Cell::new(None) };
    static ENTRIES: RefCell<(u64, FxHashMap<TenantId, Entry>)> = RefCell::new((0, FxHashMap::default()));
}

/// Listens for changes of the registry.
pub fn init() {
    // Used here once: see pg/memory.rs.
    ENTRIES.take();
    invalidation::on_relation_change(|changed| {
        if changed.is_none() || changed == TABLE.get() {
            EPOCH.set(EPOCH.get() + 1);
        }
    });
}

/// What the registry says of this tenant.
pub fn entry(id: &TenantId) -> Entry {
    let remembered = ENTRIES.with_borrow_mut(|(epoch, entries)| {
        if *epoch != EPOCH.get() {
            (*epoch, *entries) = (EPOCH.get(), FxHashMap::default());
        }
        entries.get(id).copied()
    });
    remembered.unwrap_or_else(|| read(id))
}

fn read(id: &TenantId) -> Entry {
    // No borrow is held here: reading takes locks, and locks deliver invalidations.
    let Some(table) = registry_row::table() else { return Entry::Absent };
    TABLE.set(Some(table));
    let before = EPOCH.get();
    let entry = match registry_row::read(table, id) {
        None => Entry::Absent,
        Some(row) => match row.status.parse() {
            Err(()) => Entry::UnknownStatus,
            Ok(status) => Entry::Known {
                status,
                limits: Limits {
                    statement_timeout: row.statement_timeout.unwrap_or(0),
                    lock_timeout: row.lock_timeout.unwrap_or(0),
                    idle_in_transaction_session_timeout: row.idle_in_transaction_session_timeout.unwrap_or(0),
                    work_mem: row.work_mem.unwrap_or(0),
                    read_only: row.read_only,
                },
            },
        },
    };
    if EPOCH.get() == before {
        ENTRIES.with_borrow_mut(|(epoch, entries)| {
            if *epoch == before {
                if entries.len() >= CAPACITY {
                    entries.clear();
                }
                entries.insert(*id, entry);
            }
        });
    }
    entry
}
