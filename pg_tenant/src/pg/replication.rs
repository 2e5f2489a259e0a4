//! Replication connections, while PostgreSQL authenticates one and later.

use crate::pg::text;
use pgrx::pg_sys;
use std::ffi::{c_char, c_int};

/// Whether this is a replication connection.
pub fn is_connection() -> bool {
    // SAFETY: a plain read of a variable of this backend, which its startup packet has set.
    unsafe { pg_sys::am_walsender }
}

/// Who connects.
///
/// # Safety
/// `port` is what PostgreSQL passes to its authentication hook.
pub unsafe fn user(port: *mut pg_sys::Port) -> String {
    // SAFETY: the caller's promise; the name is NUL-terminated, or null where the packet had none.
    unsafe { text::owned_opt((*port.cast::<Port>()).user_name).unwrap_or_default() }
}

/// The beginning of `Port`, of libpq/libpq-be.h, which the bindings do not carry.
#[repr(C)]
struct Port {
    sock: c_int,
    noblock: bool,
    proto: u32,
    laddr: SockAddr,
    raddr: SockAddr,
    remote_host: *mut c_char,
    remote_hostname: *mut c_char,
    remote_hostname_resolv: c_int,
    remote_hostname_errcode: c_int,
    remote_port: *mut c_char,
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    can_accept_connections: c_int,
    #[cfg(feature = "pg18")]
    local_host: [c_char; 64],
    database_name: *mut c_char,
    user_name: *mut c_char,
}

/// `struct sockaddr_storage` and its length in use.
#[repr(C, align(8))]
struct SockAddr {
    addr: [u8; 128],
    salen: u32,
}
