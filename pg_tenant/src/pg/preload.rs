//! Whether the server preloaded the library. Without that the hooks and settings are missing.

use pgrx::pg_sys;
use std::sync::atomic::{AtomicBool, Ordering};

static DONE: AtomicBool = AtomicBool::new(false);

/// Whether the postmaster is loading `shared_preload_libraries` just now.
pub fn in_progress() -> bool {
    // SAFETY: a plain read of a variable of this process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Notes that every hook and setting is in place; backends inherit this.
pub fn done() {
    DONE.store(true, Ordering::Relaxed);
}

/// Whether every hook and setting is in place.
pub fn is_done() -> bool {
    DONE.load(Ordering::Relaxed)
}
