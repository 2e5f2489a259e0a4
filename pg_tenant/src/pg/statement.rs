//! The text of the statement that runs, as others can read it: in the server log and in pg_stat_activity.

use crate::pg::backend_cell::BackendCell;
use pgrx::pg_sys;
use std::ffi::{CStr, c_char};

/// What is shown instead.
const HIDDEN: &CStr = c"<a statement with a token>";

static PREVIOUS_LOG: BackendCell<pg_sys::emit_log_hook_type> = BackendCell::new(None);

/// Puts our hook in front of those that see each line of the log.
pub fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        PREVIOUS_LOG.set(pg_sys::emit_log_hook);
        pg_sys::emit_log_hook = Some(log_line);
    }
}

/// While the statement is hidden, so is where in it an error came from: CONTEXT quotes it.
unsafe extern "C-unwind" fn log_line(error: *mut pg_sys::ErrorData) {
    // SAFETY: PostgreSQL's own record, which it writes to the log after the hook. Nothing here raises.
    unsafe {
        if std::ptr::eq(pg_sys::debug_query_string, HIDDEN.as_ptr()) {
            (*error).hide_ctx = true;
            (*error).hide_stmt = true;
        }
        if let Some(previous) = PREVIOUS_LOG.get() {
            previous(error);
        }
    }
}

/// Whether this secret stands in the text that the client sent, or in that of the prepared statement that it executes.
pub fn contains(secret: &str) -> bool {
    let secret = secret.as_bytes();
    // SAFETY: both are null or NUL-terminated texts that stay alive while the statement runs.
    unsafe {
        let portal = pg_sys::ActivePortal;
        let prepared = if portal.is_null() { std::ptr::null() } else { (*portal).sourceText };
        text_contains(pg_sys::debug_query_string, secret) || text_contains(prepared, secret)
    }
}

/// # Safety
/// `text` is null or a NUL-terminated text.
unsafe fn text_contains(text: *const c_char, secret: &[u8]) -> bool {
    if text.is_null() || secret.is_empty() {
        return false;
    }
    // SAFETY: the caller's promise: a NUL-terminated text.
    let text = unsafe { CStr::from_ptr(text) }.to_bytes();
    text.windows(secret.len()).any(|window| window == secret)
}

/// From now on neither the log's STATEMENT line nor pg_stat_activity shows the text.
pub fn hide() {
    // SAFETY: PostgreSQL reads the variable as a text that outlives the statement, and sets it anew with the next one.
    unsafe {
        pg_sys::debug_query_string = HIDDEN.as_ptr();
        pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, HIDDEN.as_ptr());
    }
}
