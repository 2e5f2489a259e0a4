//! What this backend remembers of the registry.
//!
//! Entering costs no query: an entry is read once and kept until its tenant changes anywhere. On a server that writes, a
//! tenant's version in shared memory tells of that ([`crate::pg::versions`]). On a standby, and for all that is no change of
//! a row, relcache invalidation does: of `tenant.registry_epoch`, an empty table that stands for the rows, which a standby
//! hears of by WAL; and of `tenant.tenants` itself or of a table that is in every tenant's entries, `tenant.plans` or those of
//! people, which empties the cache wherever it arrives. An entry is kept only if neither arrived while it was read.

use crate::pg::registry_row::RegistryRow;
use crate::pg::remembered::Value;
use crate::pg::versions::{self, Slot, Version};
use crate::pg::{invalidation, people_rows, registry_row, transaction};
use crate::registry::Limits;
use pg_tenant_core::{TenantId, TenantStatus};
use pgrx::pg_sys::Oid;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};

/// How many tenants are remembered before the older half of them is forgotten, except those that were asked for since.
const HALF: usize = 4096;

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

impl Entry {
    /// As shared memory has it; only of a tenant that everybody may enter.
    fn pack(self) -> Option<Value> {
        let Entry::Known { status: status @ (TenantStatus::Active | TenantStatus::ReadOnly), limits } = self else {
            return None;
        };
        let flags = u64::from(limits.read_only) | u64::from(status == TenantStatus::ReadOnly) << 1;
        let two = |first: i32, second: i32| u64::from(first as u32) << 32 | u64::from(second as u32);
        Some([
            two(limits.statement_timeout, limits.lock_timeout),
            two(limits.idle_in_transaction_session_timeout, limits.work_mem),
            flags,
        ])
    }

    fn unpack([timeouts, others, flags]: Value) -> Entry {
        Entry::Known {
            status: if flags & 2 == 0 { TenantStatus::Active } else { TenantStatus::ReadOnly },
            limits: Limits {
                statement_timeout: (timeouts >> 32) as i32,
                lock_timeout: timeouts as i32,
                idle_in_transaction_session_timeout: (others >> 32) as i32,
                work_mem: others as i32,
                read_only: flags & 1 != 0,
            },
        }
    }
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
    young: FxHashMap<TenantId, (Version, Entry)>,
    old: FxHashMap<TenantId, (Version, Entry)>,
}

thread_local! {
    static EPOCH: Cell<u64> = const { Cell::new(0) };
    static REPLAYED: Cell<u64> = const { Cell::new(0) };
    /// The oids of `tenant.tenants`, of `tenant.plans` and the tables of people, and of `tenant.registry_epoch`, while entries
    /// are remembered.
    static TABLE: Cell<Option<Oid>> = const { Cell::new(None) };
    static OTHERS: Cell<[Option<Oid>; 4]> = const { Cell::new([None; 4]) };
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
    fn find(&mut self, id: &TenantId, version: Version) -> Option<Entry> {
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

    fn keep(&mut self, id: &TenantId, entry: (Version, Entry)) {
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

/// The state of what belongs to no single tenant, roles and permissions: equal to a later one while nothing has changed. None
/// in a database without the registry.
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

/// From now on invalidations of these tables are heeded. Gives the table of plans.
fn listen(table: Oid) -> Option<Oid> {
    let plans = registry_row::plans();
    let [members, roles, permissions] = people_rows::tables();
    TABLE.set(Some(table));
    OTHERS.set([plans, members, roles, permissions]);
    MARK.set(registry_row::mark());
    plans
}

/// What the registry says of this tenant.
pub fn entry(id: &TenantId) -> Entry {
    let slot = versions::slot(id.as_str().as_bytes());
    // What this transaction has changed, and may undo, is looked at each time.
    if versions::is_changing(slot) {
        return registry_row::table().map_or(Entry::Absent, |table| look(table, id));
    }
    let (ground, version) = (Ground::now(), versions::version(slot));
    let remembered = ENTRIES.with_borrow_mut(|entries| {
        if entries.ground != Some(ground) {
            *entries = Entries { ground: Some(ground), ..Entries::default() };
        }
        entries.find(id, version)
    });
    // An entry from shared memory is not copied here, so that it need not be forgotten here.
    remembered
        .or_else(|| versions::recall(id, slot, version).map(Entry::unpack))
        .unwrap_or_else(|| read(id, slot, version))
}

/// Reads an entry; the version was taken before.
fn read(id: &TenantId, slot: Slot, version: Version) -> Entry {
    let epoch = versions::epoch();
    // No borrow is held here: reading takes locks, and locks deliver invalidations.
    let Some(table) = registry_row::table() else { return Entry::Absent };
    let plans = listen(table);
    let before = Ground::now();
    let entry = look(table, id);
    // The transaction may still undo what it has written.
    if Ground::now() == before && !transaction::has_written() {
        ENTRIES.with_borrow_mut(|entries| {
            if entries.ground == Some(before) {
                entries.keep(id, (version, entry));
            }
        });
        if let (Some(epoch), Some(value)) = (epoch, entry.pack()) {
            versions::remember([Some(table), plans], id, slot, version, epoch, value);
        }
    }
    entry
}

fn look(table: Oid, id: &TenantId) -> Entry {
    match registry_row::read(table, id) {
        None => Entry::Absent,
        Some(row) => match row.status.parse() {
            Err(()) => Entry::UnknownStatus,
            Ok(status) => Entry::Known { status, limits: limits(&row) },
        },
    }
}

/// The tenant's own limits, and its plan's where it has none of its own.
fn limits(row: &RegistryRow) -> Limits {
    let plan = row.plan.as_deref().map(registry_row::plan).unwrap_or_default();
    let idle = row.idle_in_transaction_session_timeout.or(plan.idle_in_transaction_session_timeout);
    Limits {
        statement_timeout: row.statement_timeout.or(plan.statement_timeout).unwrap_or(0),
        lock_timeout: row.lock_timeout.or(plan.lock_timeout).unwrap_or(0),
        idle_in_transaction_session_timeout: idle.unwrap_or(0),
        work_mem: row.work_mem.or(plan.work_mem).unwrap_or(0),
        read_only: row.read_only,
    }
}
