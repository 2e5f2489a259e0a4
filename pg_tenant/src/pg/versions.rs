//! A version for each tenant, in shared memory: how a change of one tenant's row reaches the caches of all backends
//! without emptying them.
//!
//! A fixed table of counters, one for many tenants: a collision costs a needless look at the registry. Who has changed a
//! row raises its counter when the transaction is over, that is after the change can be seen: `CommitTransaction` takes
//! the transaction off the list of those that run, and then calls back. Who reads takes the counter before the row. So an
//! entry that was read before the change has an older counter, and one with the new counter was read after it.
//!
//! A standby replays changes without calling back, and a prepared transaction is committed by somebody else: both are
//! told by relcache invalidation instead (`registry/cache.rs`).

use crate::pg::{boundary, invalidation, registry_row};
use pgrx::pg_sys::{self, XactEvent};
use rustc_hash::FxHasher;
use std::cell::RefCell;
use std::ffi::c_void;
use std::hash::Hasher;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const COUNTERS: usize = 65_536;

struct Shared {
    /// Raised where a transaction has changed more tenants than it keeps in mind.
    all: AtomicU64,
    counters: [AtomicU32; COUNTERS],
}

/// In the postmaster, and inherited by every backend; null where there is none.
static mut SHARED: *const Shared = std::ptr::null();
static mut PREVIOUS_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut PREVIOUS_STARTUP: pg_sys::shmem_startup_hook_type = None;

/// A tenant's counter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Slot(u16);

/// What a tenant's counter said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Version {
    all: u64,
    own: u32,
}

/// What this transaction has changed.
struct Changed {
    count: usize,
    slots: [u16; Changed::MOST],
}

impl Changed {
    const MOST: usize = 256;

    fn has(&self, Slot(slot): Slot) -> bool {
        self.count > Self::MOST || self.slots[..self.count].contains(&slot)
    }
}

thread_local! {
    static CHANGED: RefCell<Changed> = const { RefCell::new(Changed { count: 0, slots: [0; Changed::MOST] }) };
}

/// Asks for the memory. Called from `_PG_init` only.
pub fn init() {
    // SAFETY: in the postmaster's one thread; the previous hooks are called by ours.
    unsafe {
        PREVIOUS_REQUEST = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(request);
        PREVIOUS_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(start);
        pg_sys::RegisterXactCallback(Some(end_of_transaction), std::ptr::null_mut());
    }
}

unsafe extern "C-unwind" fn request() {
    // SAFETY: in the postmaster's one thread, at the time for it; nothing to drop in this frame.
    unsafe {
        if let Some(previous) = PREVIOUS_REQUEST {
            previous();
        }
        boundary::decide(|| pg_sys::RequestAddinShmemSpace(size_of::<Shared>()));
    }
}

/// In the postmaster, before there is any backend; again after a crash, when none is left.
unsafe extern "C-unwind" fn start() {
    // SAFETY: as above. What PostgreSQL gives is as large as asked for and aligned for any type; all zeros is a value.
    unsafe {
        if let Some(previous) = PREVIOUS_STARTUP {
            previous();
        }
        let (name, size) = (c"pg_tenant versions".as_ptr(), size_of::<Shared>());
        let mut found = false;
        let place = boundary::decide(|| pg_sys::ShmemInitStruct(name, size, &mut found)).cast::<Shared>();
        if !found && !place.is_null() {
            place.write_bytes(0, 1);
        }
        SHARED = place;
    }
}

fn shared() -> Option<&'static Shared> {
    // SAFETY: null, or memory that lives as long as the server and is only reached through atomics.
    unsafe { SHARED.as_ref() }
}

/// Whether the counters tell of every change: they are there, and changes are made here rather than replayed.
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

/// What it says now. To be asked before the row is read.
pub fn version(Slot(slot): Slot) -> Version {
    match shared() {
        Some(shared) => Version {
            all: shared.all.load(Ordering::Acquire),
            own: shared.counters[usize::from(slot)].load(Ordering::Acquire),
        },
        None => Version { all: 0, own: 0 },
    }
}

/// Whether this transaction has changed the tenant, or one that shares its counter, and may yet undo it.
pub fn is_changing(slot: Slot) -> bool {
    CHANGED.with_borrow(|changed| changed.has(slot))
}

/// This transaction has changed the tenant: its counter is raised when that can be seen.
pub fn change(slot: Slot) {
    CHANGED.with_borrow_mut(|changed| {
        if !changed.has(slot) {
            if let Some(place) = changed.slots.get_mut(changed.count) {
                *place = slot.0;
            }
            changed.count += 1;
        }
    });
}

unsafe extern "C-unwind" fn end_of_transaction(event: XactEvent::Type, _: *mut c_void) {
    match event {
        // Whoever commits it later calls no callback here; the invalidation is kept with it.
        XactEvent::XACT_EVENT_PRE_PREPARE if CHANGED.with_borrow(|changed| changed.count > 0) => {
            // SAFETY: the transaction can still fail; nothing to drop in this frame.
            unsafe {
                boundary::decide(|| {
                    if let Some(table) = registry_row::table() {
                        invalidation::announce(table);
                    }
                });
            }
        }
        // Nothing here can fail.
        XactEvent::XACT_EVENT_COMMIT => CHANGED.with_borrow_mut(|changed| {
            if let Some(shared) = shared() {
                for &slot in &changed.slots[..changed.count.min(Changed::MOST)] {
                    shared.counters[usize::from(slot)].fetch_add(1, Ordering::AcqRel);
                }
                if changed.count > Changed::MOST {
                    shared.all.fetch_add(1, Ordering::AcqRel);
                }
            }
            changed.count = 0;
        }),
        XactEvent::XACT_EVENT_ABORT | XactEvent::XACT_EVENT_PREPARE => {
            CHANGED.with_borrow_mut(|changed| changed.count = 0);
        }
        _ => {}
    }
}
