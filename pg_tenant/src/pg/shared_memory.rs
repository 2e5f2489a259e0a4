//! Shared memory of our own: asked for when the server starts, made before there is any backend, inherited by every
//! one.

use crate::pg::backend_cell::BackendCell;
use crate::pg::boundary::decide;
use pgrx::pg_sys;
use std::ffi::{CStr, c_int, c_void};

/// A value in shared memory, and a lock that goes with it.
pub struct Shared<T> {
    name: &'static CStr,
    place: BackendCell<*mut T>,
    lock: BackendCell<*mut pg_sys::LWLock>,
}

/// What shared memory may hold.
///
/// # Safety
/// All zeros is a value of it.
pub unsafe trait Zeroed {}

/// What is asked for, whichever type it has.
#[derive(Clone, Copy)]
struct Request {
    name: &'static CStr,
    size: fn(*const c_void) -> usize,
    made: fn(*const c_void, *mut c_void, *mut pg_sys::LWLock),
    shared: *const c_void,
}

/// Values of one type in shared memory, as many as were asked for; no lock goes with them.
pub struct SharedSlice<T> {
    name: &'static CStr,
    place: BackendCell<*mut T>,
    len: BackendCell<usize>,
    /// How many are asked for, where that is not known before they are.
    ask: BackendCell<Option<fn() -> usize>>,
}

/// How many values there may be.
const MOST: usize = 16;

/// Reads, and writes.
type Kept = (fn(), fn());

/// What is done when the memory is there, and when the server stops without a crash: by the postmaster alone.
static KEPT: BackendCell<Option<Kept>> = BackendCell::new(None);
static REQUESTS: BackendCell<[Option<Request>; MOST]> = BackendCell::new([None; MOST]);
static PREVIOUS_REQUEST: BackendCell<pg_sys::shmem_request_hook_type> = BackendCell::new(None);
static PREVIOUS_STARTUP: BackendCell<pg_sys::shmem_startup_hook_type> = BackendCell::new(None);

/// Puts our hooks in front of those that are there. Called from `_PG_init` only.
pub fn init() {
    // SAFETY: in the postmaster's one thread; the previous hooks are called by ours.
    unsafe {
        PREVIOUS_REQUEST.set(pg_sys::shmem_request_hook);
        pg_sys::shmem_request_hook = Some(request);
        PREVIOUS_STARTUP.set(pg_sys::shmem_startup_hook);
        pg_sys::shmem_startup_hook = Some(start);
    }
}

impl<T: Zeroed> Shared<T> {
    pub const fn new(name: &'static CStr) -> Self {
        Shared { name, place: BackendCell::new(std::ptr::null_mut()), lock: BackendCell::new(std::ptr::null_mut()) }
    }

    /// Asks for the memory. Called from `_PG_init` only.
    pub fn ask(&'static self) {
        add(Request { name: self.name, size: |_| size_of::<T>(), made: Self::made, shared: (&raw const *self).cast() });
    }

    fn made(shared: *const c_void, place: *mut c_void, lock: *mut pg_sys::LWLock) {
        // SAFETY: what `ask` has written down beside this function.
        let shared = unsafe { &*shared.cast::<Self>() };
        shared.place.set(place.cast());
        shared.lock.set(lock);
    }

    /// The value, for a type that is only changed by atomics; none where there is none.
    pub fn get(&self) -> Option<&'static T>
    where
        T: Sync,
    {
        // SAFETY: null, or memory that lives as long as the server and is only reached through shared references.
        unsafe { self.place.get().as_ref() }
    }

    /// As [`locked`](Self::locked), where nobody has the lock at this moment; nobody is waited for.
    pub fn locked_at_once<R>(&self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let lock = self.lock.get();
        // SAFETY: as below.
        unsafe {
            let value = self.place.get().as_mut().filter(|_| !lock.is_null())?;
            if !pg_sys::LWLockConditionalAcquire(lock, pg_sys::LWLockMode::LW_EXCLUSIVE) {
                return None;
            }
            let changed = change(value);
            pg_sys::LWLockRelease(lock);
            Some(changed)
        }
    }

    /// Changes the value, under its lock; none where there is none. `change` can neither fail nor allocate nor look at
    /// another lock.
    pub fn locked<R>(&self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let lock = self.lock.get();
        // SAFETY: memory that lives as long as the server, reached by one session at a time.
        unsafe {
            let value = self.place.get().as_mut().filter(|_| !lock.is_null())?;
            pg_sys::LWLockAcquire(lock, pg_sys::LWLockMode::LW_EXCLUSIVE);
            let changed = change(value);
            pg_sys::LWLockRelease(lock);
            Some(changed)
        }
    }
}

fn add(request: Request) {
    let mut requests = REQUESTS.get();
    let free = requests.iter_mut().find(|request| request.is_none());
    *free.expect("a place for each value in shared memory") = Some(request);
    REQUESTS.set(requests);
}

impl<T: Zeroed + Sync> SharedSlice<T> {
    pub const fn new(name: &'static CStr) -> Self {
        let (place, len) = (BackendCell::new(std::ptr::null_mut()), BackendCell::new(0));
        SharedSlice { name, place, len, ask: BackendCell::new(None) }
    }

    /// Asks for the memory of so many. Called from `_PG_init` only.
    pub fn ask(&'static self, len: usize) {
        self.len.set(len);
        add(Request { name: self.name, size: Self::size, made: Self::made, shared: (&raw const *self).cast() });
    }

    /// As [`ask`](Self::ask), where the number of sessions decides: PostgreSQL knows it when memory is asked for.
    pub fn ask_for(&'static self, len: fn() -> usize) {
        self.ask.set(Some(len));
        self.ask(0);
    }

    fn size(shared: *const c_void) -> usize {
        // SAFETY: what `ask` has written down beside this function.
        let shared = unsafe { &*shared.cast::<Self>() };
        if let Some(ask) = shared.ask.get() {
            shared.len.set(ask());
        }
        size_of::<T>() * shared.len.get()
    }

    fn made(shared: *const c_void, place: *mut c_void, _: *mut pg_sys::LWLock) {
        // SAFETY: what `ask` has written down beside this function.
        unsafe { &*shared.cast::<Self>() }.place.set(place.cast());
    }

    /// The values; none where there is no memory.
    pub fn get(&self) -> &'static [T] {
        let place = self.place.get();
        if place.is_null() {
            return &[];
        }
        // SAFETY: as many as were asked for, which live as long as the server and are only reached through shared
        // references; all zeros is a value.
        unsafe { std::slice::from_raw_parts(place, self.len.get()) }
    }
}

/// Has `read` called when the memory is there, and `write` when the server stops. Called from `_PG_init` only.
pub fn keep(read: fn(), write: fn()) {
    KEPT.set(Some((read, write)));
}

unsafe extern "C-unwind" fn stopped(code: c_int, _: pg_sys::Datum) {
    if let Some((_, write)) = KEPT.get().filter(|_| code == 0) {
        write();
    }
}

unsafe extern "C-unwind" fn request() {
    // SAFETY: in the postmaster's one thread, at the time for it; nothing to drop in this frame.
    unsafe {
        if let Some(previous) = PREVIOUS_REQUEST.get() {
            previous();
        }
        for request in REQUESTS.get().into_iter().flatten() {
            decide(|| {
                pg_sys::RequestAddinShmemSpace((request.size)(request.shared));
                pg_sys::RequestNamedLWLockTranche(request.name.as_ptr(), 1);
            });
        }
    }
}

/// In the postmaster, before there is any backend; again after a crash, when none is left.
unsafe extern "C-unwind" fn start() {
    // SAFETY: as above. What PostgreSQL gives is as large as asked for and aligned for any type; all zeros is a value.
    unsafe {
        if let Some(previous) = PREVIOUS_STARTUP.get() {
            previous();
        }
        for request in REQUESTS.get().into_iter().flatten() {
            let (name, size) = (request.name.as_ptr(), (request.size)(request.shared));
            let mut found = false;
            let place = decide(|| pg_sys::ShmemInitStruct(name, size, &mut found)).cast::<u8>();
            if !found && !place.is_null() {
                place.write_bytes(0, size);
            }
            let lock = &raw mut (*decide(|| pg_sys::GetNamedLWLockTranche(name))).lock;
            (request.made)(request.shared, place.cast(), lock);
        }
        if let Some((read, _)) = KEPT.get() {
            pg_sys::on_shmem_exit(Some(stopped), pg_sys::Datum::null());
            read();
        }
    }
}
