//! The ends of transactions and savepoints, as callbacks in safe Rust.
//!
//! A callback of [`at_end`] or [`at_savepoint_end`] runs past the point of no return: nothing in it may fail, allocate
//! from PostgreSQL or read a catalog. One of [`before_commit`] or [`before_release`] may still refuse. Those that are
//! registered later run earlier. All are registered from `_PG_init`, in the postmaster, and inherited by every backend.

use crate::pg::boundary::{decide, decide_or_raise};
use crate::pg::report::Outcome;
use pgrx::pg_sys::{self, SubTransactionId, SubXactEvent, XactEvent};
use std::ffi::c_void;

/// How a transaction has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Committed,
    Aborted,
    /// By PREPARE TRANSACTION: some session commits it later, and calls no callback then.
    Prepared,
}

/// How a transaction is about to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Commit,
    Prepare,
}

/// How a savepoint has ended. They are numbered within a transaction; the transaction itself is number 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SavepointEnd {
    Undone(u32),
    /// What was done in it belongs to the one around it from now on.
    Released {
        number: u32,
        around: u32,
    },
}

/// Calls when a transaction has ended.
pub fn at_end(callback: fn(End)) {
    // SAFETY: the argument is the function that `ended` calls; functions stay where they are.
    unsafe { pg_sys::RegisterXactCallback(Some(ended), callback as *mut c_void) };
}

/// Calls when a transaction is about to commit, or to be prepared.
pub fn before_commit(callback: fn(Ending)) {
    // SAFETY: as above, with `ending`.
    unsafe { pg_sys::RegisterXactCallback(Some(ending), callback as *mut c_void) };
}

/// Calls when a transaction is about to commit, or to be prepared, and may be refused.
pub fn judge_commit(callback: fn(Ending) -> Outcome<()>) {
    // SAFETY: as above, with `judging`.
    unsafe { pg_sys::RegisterXactCallback(Some(judging), callback as *mut c_void) };
}

/// Calls when a savepoint has ended.
pub fn at_savepoint_end(callback: fn(SavepointEnd)) {
    // SAFETY: as above, with `savepoint_ended`.
    unsafe { pg_sys::RegisterSubXactCallback(Some(savepoint_ended), callback as *mut c_void) };
}

/// Calls when a savepoint is about to be released.
pub fn before_release(callback: fn()) {
    // SAFETY: as above, with `releasing`.
    unsafe { pg_sys::RegisterSubXactCallback(Some(releasing), callback as *mut c_void) };
}

unsafe extern "C-unwind" fn ended(event: XactEvent::Type, callback: *mut c_void) {
    let end = match event {
        XactEvent::XACT_EVENT_COMMIT => End::Committed,
        XactEvent::XACT_EVENT_ABORT => End::Aborted,
        XactEvent::XACT_EVENT_PREPARE => End::Prepared,
        _ => return,
    };
    // SAFETY: what at_end registered.
    unsafe { std::mem::transmute::<*mut c_void, fn(End)>(callback)(end) }
}

fn ending_of(event: XactEvent::Type) -> Option<Ending> {
    match event {
        XactEvent::XACT_EVENT_PRE_COMMIT => Some(Ending::Commit),
        XactEvent::XACT_EVENT_PRE_PREPARE => Some(Ending::Prepare),
        _ => None,
    }
}

unsafe extern "C-unwind" fn judging(event: XactEvent::Type, callback: *mut c_void) {
    let Some(ending) = ending_of(event) else { return };
    // SAFETY: what judge_commit registered. The transaction can still fail; nothing to drop in this frame.
    unsafe {
        let callback = std::mem::transmute::<*mut c_void, fn(Ending) -> Outcome<()>>(callback);
        decide_or_raise(|| callback(ending));
    }
}

unsafe extern "C-unwind" fn ending(event: XactEvent::Type, callback: *mut c_void) {
    let Some(ending) = ending_of(event) else { return };
    // SAFETY: what before_commit registered. The transaction can still fail; nothing to drop in this frame.
    unsafe {
        let callback = std::mem::transmute::<*mut c_void, fn(Ending)>(callback);
        decide(|| callback(ending));
    }
}

unsafe extern "C-unwind" fn savepoint_ended(
    event: SubXactEvent::Type,
    number: SubTransactionId,
    around: SubTransactionId,
    callback: *mut c_void,
) {
    let end = match event {
        SubXactEvent::SUBXACT_EVENT_ABORT_SUB => SavepointEnd::Undone(number),
        SubXactEvent::SUBXACT_EVENT_COMMIT_SUB => SavepointEnd::Released { number, around },
        _ => return,
    };
    // SAFETY: what at_savepoint_end registered.
    unsafe { std::mem::transmute::<*mut c_void, fn(SavepointEnd)>(callback)(end) }
}

unsafe extern "C-unwind" fn releasing(
    event: SubXactEvent::Type,
    _: SubTransactionId,
    _: SubTransactionId,
    callback: *mut c_void,
) {
    if event == SubXactEvent::SUBXACT_EVENT_PRE_COMMIT_SUB {
        // SAFETY: what before_release registered. The savepoint can still fail; nothing to drop in this frame.
        unsafe { decide(std::mem::transmute::<*mut c_void, fn()>(callback)) }
    }
}
