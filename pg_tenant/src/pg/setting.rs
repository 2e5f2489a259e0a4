//! Settings: written for the transaction, read as numbers.

use crate::pg::raw;
use crate::pg::text::ctext;
use pgrx::pg_sys;
use std::ffi::c_void;

/// Sets a setting until the transaction, or the savepoint it stands in, ends. For settings of superusers as well.
pub fn set_local(name: &str, value: &str) {
    set(name, value, pg_sys::GucAction::GUC_ACTION_LOCAL);
}

/// Sets a setting as a function's SET clause does: until the caller's nest level of settings ends.
pub fn set_until_function_ends(name: &str, value: &str) {
    set(name, value, pg_sys::GucAction::GUC_ACTION_SAVE);
}

fn set(name: &str, value: &str, action: pg_sys::GucAction::Type) {
    let (name, value) = (ctext(name).as_ptr(), ctext(value).as_ptr());
    let (context, source) = (pg_sys::GucContext::PGC_SUSET, pg_sys::GucSource::PGC_S_SESSION);
    // SAFETY: both are NUL-terminated copies. An error, such as a value out of range, is PostgreSQL's own.
    unsafe { pg_sys::set_config_option(name, value, context, source, action, true, 0, false) };
}

/// The settings that a tenant's limits rule, as they stand now. Milliseconds and kilobytes; 0 is no timeout.
#[derive(Clone, Copy)]
pub struct Ruled {
    pub statement_timeout: i32,
    pub lock_timeout: i32,
    pub idle_in_transaction_session_timeout: i32,
    pub work_mem: i32,
    /// By how much a hash table may exceed it.
    pub hash_mem_multiplier: f64,
    pub maintenance_work_mem: i32,
    pub logical_decoding_work_mem: i32,
    pub temp_buffers: i32,
    pub read_only: bool,
}

/// Reads them.
pub fn ruled() -> Ruled {
    // SAFETY: plain reads of settings' variables in this backend.
    unsafe {
        Ruled {
            statement_timeout: pg_sys::StatementTimeout,
            lock_timeout: pg_sys::LockTimeout,
            idle_in_transaction_session_timeout: pg_sys::IdleInTransactionSessionTimeout,
            work_mem: pg_sys::work_mem,
            hash_mem_multiplier: pg_sys::hash_mem_multiplier,
            maintenance_work_mem: pg_sys::maintenance_work_mem,
            logical_decoding_work_mem: pg_sys::logical_decoding_work_mem,
            temp_buffers: pg_sys::num_temp_buffers.saturating_mul((pg_sys::BLCKSZ / 1024) as i32),
            read_only: pg_sys::XactReadOnly,
        }
    }
}

/// Arms the statement timeout for the statement that is running, where none is armed that ends it earlier.
pub fn arm_statement_timeout(milliseconds: i32) {
    if milliseconds <= 0 {
        return;
    }
    // SAFETY: the timeout's handler was registered by PostgreSQL at the start of the session; the rest reads clocks.
    unsafe {
        let latest = pg_sys::GetCurrentTimestamp() + i64::from(milliseconds) * 1000;
        let armed = raw::get_timeout_active(raw::STATEMENT_TIMEOUT);
        if !armed || raw::get_timeout_finish_time(raw::STATEMENT_TIMEOUT) > latest {
            raw::enable_timeout_after(raw::STATEMENT_TIMEOUT, milliseconds);
        }
    }
}

/// Room for what a check hook hands to its assign hook; null where there is none.
///
/// `extra` is freed by PostgreSQL with `free` on 15 and with `guc_free` from 16.
///
/// # Safety
/// Called in a check hook.
#[cfg(feature = "pg15")]
pub unsafe fn allocate_extra(size: usize) -> *mut c_void {
    unsafe extern "C" {
        fn malloc(size: usize) -> *mut c_void;
    }
    // SAFETY: plain malloc.
    unsafe { malloc(size) }
}

/// The check hook says why it refuses: there was no room.
pub fn refuse_for_memory() -> bool {
    // SAFETY: both are variables of this backend, which PostgreSQL reads when the hook has refused; the text is static.
    unsafe {
        pg_sys::GUC_check_errcode(raw::sqlstate("53200"));
        pg_sys::GUC_check_errmsg_string = c"out of memory".as_ptr().cast_mut();
    }
    false
}

/// As on 15.
///
/// # Safety
/// Called in a check hook.
#[cfg(not(feature = "pg15"))]
pub unsafe fn allocate_extra(size: usize) -> *mut c_void {
    // SAFETY: at LOG level guc_malloc returns null where there is no memory.
    unsafe { pg_sys::guc_malloc(pg_sys::LOG as i32, size) }
}
