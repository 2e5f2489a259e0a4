//! PostgreSQL's cache invalidation: how a change in one session reaches the caches of every other.

use pgrx::pg_sys::{self, Oid};
use std::cell::Cell;

/// Called with the relation that changed, or none where everything may have.
pub type Listener = fn(Option<Oid>);

thread_local! {
    static LISTENERS: Cell<[Option<Listener>; 2]> = const { Cell::new([None; 2]) };
}

/// Registers a listener for relation changes. Called from `_PG_init` only.
///
/// A listener runs at arbitrary places of PostgreSQL, inside lock acquisition for one: it must not fail, allocate from
/// PostgreSQL, or read a catalog.
pub fn on_relation_change(listener: Listener) {
    let mut listeners = LISTENERS.get();
    if listeners[0].is_none() {
        // SAFETY: _PG_init runs once, in the postmaster; backends inherit the registration.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(callback), pg_sys::Datum::null()) };
    }
    let free = listeners.iter_mut().find(|slot| slot.is_none());
    *free.expect("a place for every module that listens") = Some(listener);
    LISTENERS.set(listeners);
}

/// Tells every backend, when this transaction commits, that the relation changed.
pub fn announce(relation: Oid) {
    // SAFETY: queues an invalidation message; the relation's oid is all it needs.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) }
}

unsafe extern "C-unwind" fn callback(_: pg_sys::Datum, relation: Oid) {
    let changed = (relation != Oid::INVALID).then_some(relation);
    for listener in LISTENERS.get().into_iter().flatten() {
        listener(changed);
    }
}
