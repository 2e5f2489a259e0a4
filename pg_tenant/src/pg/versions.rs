//! A version for each tenant, in shared memory: how a change of the row of one tenant reaches the caches of all
//! backends without emptying them.
//!
//! A fixed table of counters, each shared by many tenants: a collision costs an unneeded look at the registry. A
//! transaction that has changed a row raises its counter when it is over, that is, when others can see the change:
//! `CommitTransaction` removes the transaction from the list of running ones before it calls back. A reader takes the
//! counter before it reads the row. So an entry that was read before the change has an older counter, and an entry with
//! the new counter was read after it.
//!
//! A standby replays changes without calling back, and a prepared transaction may be committed by another session: in
//! both cases relcache invalidation is used instead (`registry/cache.rs`). The invalidation, and `NOTIFY
//! tenant_registry`, are sent once per transaction, before it commits, unless every savepoint with a change was undone.
//!
//! Beside the counters stands what backends have read ([`crate::pg::remembered`]), for those that begin.

use crate::pg::changes;
pub use crate::pg::changes::{Slot, change, change_quietly, is_changing};
use crate::pg::lifetime::{End, Ending};
use crate::pg::remembered::{Key, Remembered, Value};
use crate::pg::{invalidation, lifetime, notify, registry_row, shared_memory, transaction};
use pg_tenant_core::TenantId;
use pgrx::pg_sys;
use rustc_hash::FxHasher;
use std::cell::Cell;
use std::hash::Hasher;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const COUNTERS: usize = 65_536;

struct Shared {
    /// Raised when a transaction has changed more tenants than it can keep in mind.
    all: AtomicU64,
    counters: [AtomicU32; COUNTERS],
    remembered: Remembered,
}

static SHARED: shared_memory::Shared<Shared> = shared_memory::Shared::new(c"pg_tenant versions");

// SAFETY: atomics only; all zeros are counters that were never raised, and nothing remembered.
unsafe impl shared_memory::Zeroed for Shared {}

/// What a tenant's counter said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Version {
    all: u64,
    own: u32,
}

thread_local! {
    /// Relations whose invalidation this transaction has caused or heard of; none where they were too many.
    static HEARD: Cell<Option<([u32; HEARD_MOST], usize)>> = const { Cell::new(Some(([0; HEARD_MOST], 0))) };
}

const HEARD_MOST: usize = 32;

/// Asks for the memory. Called from `_PG_init` only.
pub fn init() {
    changes::init();
    invalidation::on_relation_change(hear);
    SHARED.ask();
    lifetime::before_commit(before_commit);
    lifetime::at_end(transaction_ended);
}

fn shared() -> Option<&'static Shared> {
    SHARED.get()
}

/// Whether the counters show every change: they exist, and this server makes changes itself instead of replaying them.
pub fn are_told() -> bool {
    // SAFETY: reads a flag of this backend's, or of shared memory.
    shared().is_some() && !unsafe { pg_sys::RecoveryInProgress() }
}

/// The counter of the tenant with this id in this database.
pub fn slot(id: &[u8]) -> Slot {
    let mut hasher = FxHasher::default();
    // SAFETY: a plain read of a variable of this backend.
    hasher.write_u32(unsafe { pg_sys::MyDatabaseId }.to_u32());
    hasher.write(id);
    Slot((hasher.finish() >> 48) as u16)
}

/// The current version. To be taken before the row is read.
pub fn version(Slot(slot): Slot) -> Version {
    match shared() {
        Some(shared) => Version {
            all: shared.all.load(Ordering::Acquire),
            own: shared.counters[usize::from(slot)].load(Ordering::Acquire),
        },
        None => Version { all: 0, own: 0 },
    }
}

/// What a backend of this database has read of the tenant, where it is still true.
pub fn recall(id: &TenantId, slot: Slot, version: Version) -> Option<Value> {
    let remembered = remembered()?;
    remembered.find(slot.0, &key(id, version, remembered.epoch()))
}

/// The state of the registry that a row about to be read is of, beside its version; none where it is not to be kept.
pub fn epoch() -> Option<u64> {
    remembered().map(Remembered::epoch)
}

/// Keeps for others what was read of the tenant in these tables, after version and epoch were.
pub fn remember(
    tables: [Option<pg_sys::Oid>; 3],
    id: &TenantId,
    slot: Slot,
    version: Version,
    epoch: u64,
    value: Value,
) {
    let Some(remembered) = remembered() else { return };
    if tables.into_iter().flatten().all(|table| remembered.note_table(in_database(table))) {
        remembered.keep(slot.0, &key(id, version, epoch), value);
    }
}

/// A prepared transaction was committed: it may have changed a registry.
pub fn prepared_committed() {
    if let Some(shared) = shared() {
        shared.remembered.forget();
    }
}

/// Not where changes are told otherwise, nor in a transaction that may have changed the registry behind its triggers.
fn remembered() -> Option<&'static Remembered> {
    shared().filter(|_| are_told() && !transaction::has_written()).map(|shared| &shared.remembered)
}

fn key(id: &TenantId, version: Version, epoch: u64) -> Key {
    let mut bytes = [0; 64];
    let text = id.as_str().as_bytes();
    bytes[..text.len()].copy_from_slice(text);
    let mut key = [0; 12];
    key[..4].copy_from_slice(&[in_database(pg_sys::Oid::INVALID), version.all, version.own.into(), epoch]);
    for (word, bytes) in key[4..].iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    key
}

/// A relation of this database as one number.
fn in_database(relation: pg_sys::Oid) -> u64 {
    // SAFETY: a plain read of a variable of this backend.
    u64::from(unsafe { pg_sys::MyDatabaseId }.to_u32()) << 32 | u64::from(relation.to_u32())
}

/// A registry may also change by its definition, or with its triggers disabled. A transaction that has heard of such a
/// change raises the epoch when it commits.
fn hear(changed: Option<pg_sys::Oid>) {
    let (Some(relation), Some((mut heard, count))) = (changed, HEARD.get()) else { return };
    let relation = relation.to_u32();
    if !heard[..count].contains(&relation) {
        HEARD.set(heard.get_mut(count).map(|place| *place = relation).map(|()| (heard, count + 1)));
    }
}

fn has_heard_of_a_registry(remembered: &Remembered) -> bool {
    HEARD.get().is_none_or(|(heard, count)| {
        heard[..count].iter().any(|&relation| remembered.has_table(in_database(pg_sys::Oid::from(relation))))
    })
}

/// Tells of what this transaction has changed, and is about to commit.
fn announce() {
    if let Some(stand_in) = registry_row::mark().or_else(registry_row::table) {
        invalidation::announce(stand_in);
    }
    if changes::are_told() {
        notify::send("tenant_registry");
    }
}

fn before_commit(ending: Ending) {
    if changes::are_there() {
        announce();
        // Whoever commits it later calls no callback here; the invalidation is kept with it.
        if ending == Ending::Prepare
            && let Some(table) = registry_row::table()
        {
            invalidation::announce(table);
        }
    }
}

fn transaction_ended(end: End) {
    if let (End::Committed, Some(shared)) = (end, shared()) {
        let raise = |Slot(slot): Slot| {
            shared.counters[usize::from(slot)].fetch_add(1, Ordering::AcqRel);
        };
        if changes::each(raise) {
            shared.all.fetch_add(1, Ordering::AcqRel);
        }
        if transaction::has_written() && has_heard_of_a_registry(&shared.remembered) {
            shared.remembered.forget();
        }
    }
    changes::clear();
    HEARD.set(Some(([0; HEARD_MOST], 0)));
}
