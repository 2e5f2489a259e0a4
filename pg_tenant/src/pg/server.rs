//! The server process: its configuration, its user, its clock, its database's encoding.

use pgrx::pg_sys;
use std::time::{SystemTime, UNIX_EPOCH};

unsafe extern "C" {
    safe fn geteuid() -> u32;
}

/// When this backend last read the configuration files: another value after each reload.
pub fn configuration_read_at() -> i64 {
    // SAFETY: a plain read of a variable of this backend.
    unsafe { pg_sys::PgReloadTime }
}

/// The operating system's user that the server runs as.
pub fn user() -> u32 {
    geteuid()
}

/// Seconds since 1970, by the wall clock and not by the transaction's.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// Microseconds, as PostgreSQL counts them, by the wall clock and not by the transaction's.
pub fn clock() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// Whether messages of the levels LOG and DEBUG are sent to the client: `client_min_messages`.
pub fn log_reaches_client() -> bool {
    // SAFETY: a plain read of a variable of this backend.
    unsafe { pg_sys::client_min_messages <= pg_sys::LOG as i32 }
}

/// Whether the database can hold this text as it is.
pub fn can_hold(text: &str) -> bool {
    // SAFETY: a plain read of a variable of this backend.
    text.is_ascii() || unsafe { pg_sys::GetDatabaseEncoding() } == pg_sys::pg_enc::PG_UTF8 as i32
}
