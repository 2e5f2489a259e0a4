//! Logins, once the client has been authenticated.

use crate::guard::login;
use crate::pg::backend_cell::BackendCell;
use crate::pg::boundary::decide_or_raise;
use crate::pg::{raw, replication};
use pgrx::pg_sys;
use std::ffi::c_int;

static PREVIOUS: BackendCell<raw::ClientAuthenticationHook> = BackendCell::new(None);

pub(super) fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        PREVIOUS.set(raw::ClientAuthentication_hook);
        raw::ClientAuthentication_hook = Some(client_authentication);
    }
}

/// A client has been authenticated, or has not. A replication connection has no statements that other hooks would see.
unsafe extern "C-unwind" fn client_authentication(port: *mut pg_sys::Port, status: c_int) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame; an error here ends the
    // connection, as PostgreSQL's own do.
    unsafe {
        if status == raw::STATUS_OK && replication::is_connection() {
            decide_or_raise(|| login::judge(&replication::user(port)));
        }
        if let Some(previous) = PREVIOUS.get() {
            previous(port, status);
        }
    }
}
