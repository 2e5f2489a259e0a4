//! What this backend remembers of the registry.
//!
//! Entering costs no query: an entry is read once and kept until its tenant changes anywhere. On a server that writes,
//! a tenant's version in shared memory tells of that ([`crate::pg::versions`]). On a standby, and for all that is no
//! change of a row, relcache invalidation does: of `tenant.registry_epoch`, an empty table that stands for the rows,
//! which a standby hears of by WAL; and of `tenant.tenants` itself or of a table that is in every tenant's entries,
//! `tenant.plans`, `tenant.setting_definitions` or those of people, which empties the cache wherever it arrives. An
//! entry is kept only if neither arrived while it was read.
//!
//! With an entry goes its generation, one number for all that a tenant is given: its row, its plan's and the
//! definitions of settings. They are read one after the other, so that it may be of a state which never was; what is
//! read after it is of that state or a later one, and no later state has the same number.

use crate::pg::registry_row::{PlanRow, RegistryRow};
use crate::pg::versions::{self, Slot, Version};
use crate::pg::{invalidation, people_rows, registry_row, row_digest, transaction};
use crate::registry::entry::{Entry, Found};
use crate::registry::{Limits, definitions, rates};
use pg_tenant_core::TenantId;
use pg_tenant_core::gates::Given;
use pgrx::pg_sys::Oid;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};

/// How many tenants are remembered before the older half of them is forgotten, except those that were asked for since.
const HALF: usize = 4096;

/// An admitted tenant.
#[derive(Clone, Copy)]
pub struct Admitted {
    pub limits: Limits,
    /// What all its sessions share.
    pub given: Given,
}

/// What all entries rest on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ground {
    /// Invalidations of the registry's tables.
    epoch: u64,
    /// Invalidations that stand for its rows, where versions do not tell of them.
    replayed: Option<u64>,
}

#[derive(Default)]
struct Entries {
    ground: Option<Ground>,
    young: FxHashMap<TenantId, (Version, Found)>,
    old: FxHashMap<TenantId, (Version, Found)>,
}

thread_local! {
    static EPOCH: Cell<u64> = const { Cell::new(0) };
    static REPLAYED: Cell<u64> = const { Cell::new(0) };
    /// The oids of `tenant.tenants`, of `tenant.plans`, `tenant.setting_definitions` and the tables of people, and of
    /// `tenant.registry_epoch`, while entries are remembered.
    static TABLE: Cell<Option<Oid>> = const { Cell::new(None) };
    static OTHERS: Cell<[Option<Oid>; 5]> = const { Cell::new([None; 5]) };
    static MARK: Cell<Option<Oid>> = const { Cell::new(None) };
    static ENTRIES: RefCell<Entries> = RefCell::new(Entries::default());
}

impl Ground {
    fn now() -> Ground {
        Ground { epoch: EPOCH.get(), replayed: (!versions::are_told()).then(|| REPLAYED.get()) }
    }
}

impl Entries {
    /// The entry, if it is of this version. It is one of the young ones from now on.
    fn find(&mut self, id: &TenantId, version: Version) -> Option<Found> {
        let remembered = match self.young.get(id) {
            Some(&young) => young,
            None => {
                let old = self.old.remove(id)?;
                self.keep(id, old);
                old
            }
        };
        (remembered.0 == version).then_some(remembered.1)
    }

    fn keep(&mut self, id: &TenantId, entry: (Version, Found)) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(*id, entry);
    }
}

/// Listens for changes of the registry.
pub fn init() {
    // Used here once: see pg/memory.rs.
    ENTRIES.take();
    versions::init();
    invalidation::on_relation_change(|changed| {
        if changed.is_none() || changed == TABLE.get() || OTHERS.get().contains(&changed) {
            EPOCH.set(EPOCH.get() + 1);
            // It may be gone, and another of its name be there: whoever remembers something next looks.
            TABLE.set(None);
        }
        if changed.is_none() || changed == MARK.get() {
            REPLAYED.set(REPLAYED.get() + 1);
        }
    });
}

/// What everything that is remembered of a tenant rests on: equal to a later one while nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    ground: Ground,
    version: Version,
}

/// The tenant's stamp now; none while this transaction has changed it, and may undo that.
pub fn stamp(id: &TenantId) -> Option<Stamp> {
    let slot = versions::slot(id.as_str().as_bytes());
    if versions::is_changing(slot) {
        return None;
    }
    if TABLE.get().is_none() {
        listen(registry_row::table()?);
    }
    Some(Stamp { ground: Ground::now(), version: versions::version(slot) })
}

/// The state of what belongs to no single tenant, roles and permissions: equal to a later one while nothing has
/// changed. None in a database without the registry.
pub fn epoch() -> Option<u64> {
    if TABLE.get().is_none() {
        listen(registry_row::table()?);
    }
    Some(EPOCH.get())
}

/// How many invalidations were heard of: as [`epoch`], for what was read after that was asked. Reads no catalog.
#[inline]
pub fn heard() -> u64 {
    EPOCH.get()
}

/// From now on invalidations of these tables are heeded.
fn listen(table: Oid) {
    let [members, roles, permissions] = people_rows::tables();
    TABLE.set(Some(table));
    OTHERS.set([registry_row::plans(), registry_row::definitions(), members, roles, permissions]);
    MARK.set(registry_row::mark());
}

/// What the registry says of this tenant.
pub fn entry(id: &TenantId) -> Entry {
    found(id).entry
}

/// The tenant's generation now: another number after every change of its row, of its plan, of its settings or of what
/// settings there are.
pub fn generation(id: &TenantId) -> u64 {
    found(id).generation
}

/// The same, if it is remembered; nothing is read for it.
pub fn known_generation(id: &TenantId) -> Option<u64> {
    let slot = versions::slot(id.as_str().as_bytes());
    if versions::is_changing(slot) {
        return None;
    }
    remembered(id, slot, Ground::now(), versions::version(slot)).map(|found| found.generation)
}

fn found(id: &TenantId) -> Found {
    let slot = versions::slot(id.as_str().as_bytes());
    // What this transaction has changed, and may undo, is looked at each time.
    if versions::is_changing(slot) {
        return look(registry_row::table(), id);
    }
    let version = versions::version(slot);
    remembered(id, slot, Ground::now(), version).unwrap_or_else(|| read(id, slot, version))
}

fn remembered(id: &TenantId, slot: Slot, ground: Ground, version: Version) -> Option<Found> {
    let remembered = ENTRIES.with_borrow_mut(|entries| {
        if entries.ground != Some(ground) {
            *entries = Entries { ground: Some(ground), ..Entries::default() };
        }
        entries.find(id, version)
    });
    // An entry from shared memory is not copied here, so that it need not be forgotten here.
    remembered.or_else(|| versions::recall(id, slot, version).map(Found::unpack))
}

/// Reads an entry; the version was taken before.
fn read(id: &TenantId, slot: Slot, version: Version) -> Found {
    let epoch = versions::epoch();
    // No borrow is held here: reading takes locks, and locks deliver invalidations.
    let Some(table) = registry_row::table() else { return look(None, id) };
    listen(table);
    let before = Ground::now();
    let found = look(Some(table), id);
    // The transaction may still undo what it has written.
    if Ground::now() == before && !transaction::has_written() {
        ENTRIES.with_borrow_mut(|entries| {
            if entries.ground == Some(before) {
                entries.keep(id, (version, found));
            }
        });
        let [plans, definitions, ..] = OTHERS.get();
        if let (Some(epoch), Some(value)) = (epoch, found.pack()) {
            versions::remember([Some(table), plans, definitions], id, slot, version, epoch, value);
        }
    }
    found
}

/// The epoch, while the tables' invalidations are heeded.
fn listening() -> Option<u64> {
    TABLE.get().map(|_| EPOCH.get())
}

fn look(table: Option<Oid>, id: &TenantId) -> Found {
    let row = table.and_then(|table| registry_row::read(table, id));
    let plan = row.as_ref().and_then(|row| row.plan.as_deref()).map(registry_row::plan).unwrap_or_default();
    let of_row = row.as_ref().map_or(0, |row| row.digest);
    let generation = row_digest::together([of_row, plan.digest, definitions::number(listening)]);
    let entry = match row {
        None => Entry::Absent,
        Some(row) => match row.status.parse() {
            Err(()) => Entry::UnknownStatus,
            Ok(status) => Entry::Known { status, limits: limits(&row, &plan), given: rates::read(&row, &plan) },
        },
    };
    Found { entry, generation }
}

/// The tenant's own limits, and its plan's where it has none of its own.
fn limits(row: &RegistryRow, plan: &PlanRow) -> Limits {
    let idle = row.idle_in_transaction_session_timeout.or(plan.idle_in_transaction_session_timeout);
    Limits {
        statement_timeout: row.statement_timeout.or(plan.statement_timeout).unwrap_or(0),
        lock_timeout: row.lock_timeout.or(plan.lock_timeout).unwrap_or(0),
        idle_in_transaction_session_timeout: idle.unwrap_or(0),
        work_mem: row.work_mem.or(plan.work_mem).unwrap_or(0),
        read_only: row.read_only,
    }
}
