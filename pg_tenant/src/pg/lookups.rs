//! The count of lookups ([`pg_tenant_core::Lookups`]) in shared memory, under a lock of its own.

use crate::pg::boundary;
use pg_tenant_core::{Counted, LookupKey, Lookups};
use pgrx::pg_sys::{self, Oid};

const NAME: &std::ffi::CStr = c"pg_tenant lookups";

/// In the postmaster, and inherited by every backend; null where there is none.
static mut TABLE: *mut Lookups = std::ptr::null_mut();
static mut LOCK: *mut pg_sys::LWLock = std::ptr::null_mut();
static mut PREVIOUS_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut PREVIOUS_STARTUP: pg_sys::shmem_startup_hook_type = None;

/// Asks for the memory. Called from `_PG_init` only.
pub fn init() {
    // SAFETY: in the postmaster's one thread; the previous hooks are called by ours.
    unsafe {
        PREVIOUS_REQUEST = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(request);
        PREVIOUS_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(start);
    }
}

unsafe extern "C-unwind" fn request() {
    // SAFETY: in the postmaster's one thread, at the time for it; nothing to drop in this frame.
    unsafe {
        if let Some(previous) = PREVIOUS_REQUEST {
            previous();
        }
        boundary::decide(|| {
            pg_sys::RequestAddinShmemSpace(size_of::<Lookups>());
            pg_sys::RequestNamedLWLockTranche(NAME.as_ptr(), 1);
        });
    }
}

/// In the postmaster, before there is any backend; again after a crash, when none is left.
unsafe extern "C-unwind" fn start() {
    // SAFETY: as above. What PostgreSQL gives is as large as asked for and aligned for any type; all zeros is a value.
    unsafe {
        if let Some(previous) = PREVIOUS_STARTUP {
            previous();
        }
        let mut found = false;
        let place = boundary::decide(|| pg_sys::ShmemInitStruct(NAME.as_ptr(), size_of::<Lookups>(), &mut found));
        let place = place.cast::<Lookups>();
        if !found && !place.is_null() {
            place.write_bytes(0, 1);
        }
        LOCK = &raw mut (*boundary::decide(|| pg_sys::GetNamedLWLockTranche(NAME.as_ptr()))).lock;
        TABLE = place;
    }
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
    // SAFETY: memory that lives as long as the server, reached by one session at a time; between taking the lock and
    // giving it back nothing can fail, allocate or look at another lock.
    unsafe {
        let Some(table) = TABLE.as_mut().filter(|_| !LOCK.is_null()) else { return Counted::NoPlace };
        pg_sys::LWLockAcquire(LOCK, pg_sys::LWLockMode::LW_EXCLUSIVE);
        let counted = table.count(key, now, most);
        pg_sys::LWLockRelease(LOCK);
        counted
    }
}
