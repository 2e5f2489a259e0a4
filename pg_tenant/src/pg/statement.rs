//! The text of the statement that runs, as others can read it: in the server log and in pg_stat_activity.

use crate::pg::backend_cell::BackendCell;
use pgrx::pg_sys;
use std::ffi::{CStr, c_char};

/// What is shown instead.
const HIDDEN: &CStr = c"<a statement with a token>";

/// Which message says that a lock was waited for: it is written where `log_lock_waits` is on, of waits that were longer
/// than `deadlock_timeout`.
const WAITED: &CStr = c"process %d acquired %s on %s after %ld.%03d ms";

/// Who is told of it, with how many milliseconds: a room above.
static ON_LOCK_WAIT: BackendCell<Option<fn(u32)>> = BackendCell::new(None);
type Said = fn() -> Option<String>;

/// What every line of the log is to say besides, where it is: a room above.
static ON_LINE: BackendCell<Option<Said>> = BackendCell::new(None);
static PREVIOUS_LOG: BackendCell<pg_sys::emit_log_hook_type> = BackendCell::new(None);

/// Puts our hook in front of those that see each line of the log.
pub fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        PREVIOUS_LOG.set(pg_sys::emit_log_hook);
        pg_sys::emit_log_hook = Some(log_line);
    }
}

/// Has waits for locks told to this function. Called from `_PG_init` only.
pub fn on_lock_wait(told: fn(u32)) {
    ON_LOCK_WAIT.set(Some(told));
}

/// Has each line of the log say this, too. Called from `_PG_init` only.
pub fn on_line(said: Said) {
    ON_LINE.set(Some(said));
}

/// Puts a line in front of the DETAIL that the log has, and no client: that of another transaction is not for it.
///
/// # Safety
/// PostgreSQL's own record, in whose memory the text is to be.
unsafe fn add_line(error: *mut pg_sys::ErrorData, line: &str) {
    // SAFETY: the caller's promise; PostgreSQL has made its memory the current one, and frees the text with it.
    unsafe {
        let there = if (*error).detail_log.is_null() { (*error).detail } else { (*error).detail_log };
        let before =
            if there.is_null() { String::new() } else { format!("\n{}", CStr::from_ptr(there).to_string_lossy()) };
        if let Ok(text) = std::ffi::CString::new(format!("{line}{before}")) {
            (*error).detail_log = pg_sys::pstrdup(text.as_ptr());
        }
    }
}

/// The milliseconds in a message that ends with them, whatever its language.
fn milliseconds(message: &CStr) -> u32 {
    let text = message.to_bytes();
    let digits = text.rsplit(|byte| !(byte.is_ascii_digit() || *byte == b'.')).find(|word| word.contains(&b'.'));
    let number = digits.and_then(|digits| str::from_utf8(digits).ok()?.parse::<f64>().ok());
    number.map_or(0, |number| number as u32)
}

/// While the statement is hidden, so is where in it an error came from: CONTEXT quotes it.
unsafe extern "C-unwind" fn log_line(error: *mut pg_sys::ErrorData) {
    // SAFETY: PostgreSQL's own record, which it writes to the log after the hook. Nothing here raises.
    unsafe {
        if std::ptr::eq(pg_sys::debug_query_string, HIDDEN.as_ptr()) {
            (*error).hide_ctx = true;
            (*error).hide_stmt = true;
        }
        if let Some(line) = ON_LINE.get().and_then(|said| said()) {
            add_line(error, &line);
        }
        let (id, message) = ((*error).message_id, (*error).message);
        if let Some(told) = ON_LOCK_WAIT.get().filter(|_| !id.is_null() && !message.is_null())
            && CStr::from_ptr(id) == WAITED
        {
            told(milliseconds(CStr::from_ptr(message)));
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
