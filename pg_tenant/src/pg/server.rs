//! The server process: its configuration, its user, its clock, its database's encoding.

use crate::pg::text;
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

/// Microseconds since 1970, by the wall clock.
pub fn clock_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

/// Bytes from the server's source of secrets; zeros where it gives none.
pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // SAFETY: fills as many bytes as it is told.
    if !unsafe { pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), bytes.len()) } {
        return [0; 16];
    }
    bytes
}

/// The name of this database.
pub fn database_name() -> String {
    // SAFETY: a syscache lookup; palloc'ed, or null where there is none.
    unsafe { text::owned(pg_sys::get_database_name(pg_sys::MyDatabaseId)) }
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
