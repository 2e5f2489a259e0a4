//! The one way from Rust into PostgreSQL's error machinery.
//!
//! Rust code that decides runs inside [`decide`]; it returns plain `Copy` data. Only when it has returned, and nothing
//! of it is left on the stack, is a refusal raised: PostgreSQL's longjmp then crosses frames with nothing to drop.

use crate::pg::report::{Outcome, Report};
use crate::pg::text::CText;
use crate::pg::{memory, raw, refused};
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::c_int;

thread_local! {
    static TO_LOG: Cell<Option<Report>> = const { Cell::new(None) };
}

/// Runs `f` so that neither a panic nor a PostgreSQL error leaves it as an unwinding Rust frame.
///
/// # Safety
/// Called where PostgreSQL may raise an error, with nothing to drop in the caller's frame.
pub unsafe fn decide<T: Copy>(f: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's promise; T is Copy, so nothing is left to drop when the guard re-raises.
    unsafe {
        let decided = pg_sys::submodules::panic::pgrx_extern_c_guard(f);
        if memory::is_short() {
            end_session();
        }
        decided
    }
}

/// Ends this session after Rust had to use its memory reserve; never returns.
///
/// # Safety
/// As [`decide`].
unsafe fn end_session() {
    // SAFETY: the caller's frame holds only Copy data; the texts are static.
    unsafe {
        if raw::errstart(raw::FATAL, std::ptr::null()) {
            raw::errcode(raw::sqlstate("53200"));
            raw::errmsg_internal(c"%s".as_ptr(), c"out of memory".as_ptr());
            raw::errdetail_internal(c"%s".as_ptr(), c"pg_tenant ends the session rather than go on without.".as_ptr());
            raw::errfinish(c"pg_tenant".as_ptr(), 0, c"pg_tenant".as_ptr());
        }
    }
}

/// Runs `f` and raises its refusal.
///
/// # Safety
/// As [`decide`].
pub unsafe fn decide_or_raise<T: Copy>(f: impl FnOnce() -> Outcome<T>) -> T {
    // SAFETY: the caller's promise; Outcome<T> is Copy because both sides are.
    match unsafe { decide(f) } {
        Ok(value) => value,
        // SAFETY: f has returned, nothing of ours is left to drop.
        Err(report) => unsafe { raise(report) },
    }
}

/// Raises a refusal as an ERROR; never returns.
///
/// # Safety
/// As [`decide`].
pub unsafe fn raise(report: Report) -> ! {
    // SAFETY: the caller's promise.
    unsafe {
        decide(|| refused::count(report.refusal));
        emit(raw::ERROR, report);
    };
    unreachable!("errfinish returned from an ERROR")
}

/// Raises a refusal that ends the session; never returns.
///
/// # Safety
/// As [`decide`].
pub unsafe fn end_with(report: Report) -> ! {
    // SAFETY: the caller's promise.
    unsafe {
        decide(|| refused::count(report.refusal));
        emit(raw::FATAL, report);
    };
    unreachable!("errfinish returned from a FATAL")
}

/// Sends a refusal as a WARNING, for `pg_tenant.strict = log`.
///
/// # Safety
/// As [`decide`]: errfinish checks for interrupts, so even a warning may not return.
pub unsafe fn warn(report: Report) {
    // SAFETY: the caller's promise.
    unsafe { emit(raw::WARNING, report) }
}

/// Writes a line to the server's log, and there only.
///
/// # Safety
/// As [`warn`].
pub unsafe fn log(message: CText) {
    let plain = c"%s".as_ptr();
    // SAFETY: the text is NUL-terminated and lives in a memory context that outlives the call; the format is "%s".
    unsafe {
        if raw::errstart(raw::LOG_SERVER_ONLY, std::ptr::null()) {
            raw::errmsg_internal(plain, message.as_ptr());
            raw::errfinish(c"pg_tenant".as_ptr(), 0, c"pg_tenant".as_ptr());
        }
    }
}

/// Notes a report for the server log, and there only. It is written once the body of the SQL function has returned.
pub fn log_later(report: Report) {
    TO_LOG.set(Some(report));
}

/// Forgets what a function noted that then failed.
pub fn forget_log() {
    TO_LOG.set(None);
}

/// Writes what [`log_later`] noted.
///
/// # Safety
/// As [`decide`]: errfinish checks for interrupts. In the memory context in which it was noted.
pub unsafe fn write_log() {
    if let Some(report) = TO_LOG.take() {
        // SAFETY: the caller's promise.
        unsafe { emit(raw::LOG_SERVER_ONLY, report) }
    }
}

/// # Safety
/// As [`decide`].
unsafe fn emit(level: c_int, report: Report) {
    let Report { refusal, message, detail, hint, hides_statement } = report;
    let plain = c"%s".as_ptr();
    // SAFETY: the texts are NUL-terminated and live in a memory context that outlives the report; every format is "%s".
    unsafe {
        if raw::errstart(level, std::ptr::null()) {
            raw::errcode(raw::sqlstate(refusal.code()));
            raw::errmsg_internal(plain, message.as_ptr());
            if let Some(detail) = detail {
                raw::errdetail_internal(plain, detail.as_ptr());
            }
            if let Some(hint) = hint {
                raw::errhint(plain, hint.as_ptr());
            }
            if hides_statement {
                raw::errhidestmt(true);
                raw::errhidecontext(true);
                // What the callbacks would add is the client's CONTEXT: a statement within a function, with the token.
                let callbacks = pg_sys::error_context_stack;
                pg_sys::error_context_stack = std::ptr::null_mut();
                raw::errfinish(c"pg_tenant".as_ptr(), 0, c"pg_tenant".as_ptr());
                // Only a line of the log returns; whoever catches an error has saved the callbacks.
                pg_sys::error_context_stack = callbacks;
                return;
            }
            raw::errfinish(c"pg_tenant".as_ptr(), 0, c"pg_tenant".as_ptr());
        }
    }
}
