//! PostgreSQL's cache invalidation: how a change in one session reaches the caches of every other.

use pgrx::pg_sys::{self, Oid};

/// Called with the relation that changed, or none where everything may have.
pub type Listener = fn(Option<Oid>);

static mut LISTENERS: [Option<Listener>; 4] = [None; 4];

/// Registers a listener for relation changes. Called from `_PG_init` only.
///
/// A listener runs at arbitrary places of PostgreSQL, inside lock acquisition for one: it must not fail, allocate from
/// PostgreSQL, or read a catalog.
pub fn on_relation_change(listener: Listener) {
    // SAFETY: _PG_init runs once, in one thread.
    unsafe {
        let listeners = &mut *(&raw mut LISTENERS);
        if let Some(free) = listeners.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(listener);
        }
        if listeners.iter().flatten().count() == 1 {
            pg_sys::CacheRegisterRelcacheCallback(Some(callback), pg_sys::Datum::null());
        }
    }
}

/// Tells every backend, when this transaction commits, that the relation changed.
pub fn announce(relation: Oid) {
    // SAFETY: queues an invalidation message; the relation's oid is all it needs.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) }
}

unsafe extern "C-unwind" fn callback(_: pg_sys::Datum, relation: Oid) {
    // SAFETY: LISTENERS is written in _PG_init only.
    let listeners = unsafe { &*(&raw const LISTENERS) };
    let changed = (relation != Oid::INVALID).then_some(relation);
    for listener in listeners.iter().flatten() {
        listener(changed);
    }
}
