//! PostgreSQL's cache invalidation: how a change in one session reaches the caches of every other.

use crate::pg::folding;
use pgrx::pg_sys::{self, Datum, Oid};

/// Called with the relation that changed, or none where everything may have.
pub type Listener = fn(Option<Oid>);

/// Registers a listener for relation changes. Called from `_PG_init` only.
///
/// A listener runs at arbitrary places of PostgreSQL, inside lock acquisition for one: it must not fail, allocate from
/// PostgreSQL, or read a catalog.
pub fn on_relation_change(listener: Listener) {
    // SAFETY: backends inherit the registration from the postmaster, at the same addresses.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(callback), Datum::from(listener as usize)) };
}

/// Registers a listener for changes of functions, under the rules of [`on_relation_change`].
pub fn on_function_change(listener: fn()) {
    let cache = pg_sys::SysCacheIdentifier::PROCOID as i32;
    // SAFETY: as above.
    unsafe { pg_sys::CacheRegisterSyscacheCallback(cache, Some(function_callback), Datum::from(listener as usize)) };
}

/// Registers a listener for changes of schemas, under the rules of [`on_relation_change`]: to rename one is no change
/// of the relations in it.
pub fn on_schema_change(listener: fn()) {
    let cache = pg_sys::SysCacheIdentifier::NAMESPACEOID as i32;
    // SAFETY: as above.
    unsafe { pg_sys::CacheRegisterSyscacheCallback(cache, Some(function_callback), Datum::from(listener as usize)) };
}

/// Tells every backend, when this transaction commits, that the relation changed.
pub fn announce(relation: Oid) {
    // SAFETY: queues an invalidation message; the relation's oid is all it needs.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) }
}

unsafe extern "C-unwind" fn callback(listener: Datum, relation: Oid) {
    // SAFETY: the argument is the listener that was registered with this callback.
    let listener = unsafe { std::mem::transmute::<usize, Listener>(listener.value()) };
    listener((relation != Oid::INVALID).then_some(relation));
}

unsafe extern "C-unwind" fn function_callback(listener: Datum, _: i32, hash: u32) {
    if hash == folding::MARK {
        return;
    }
    // SAFETY: the argument is the listener that was registered with this callback.
    let listener = unsafe { std::mem::transmute::<usize, fn()>(listener.value()) };
    listener();
}
