//! The ends of transactions and savepoints. Past the point of no return nothing here may fail.

use crate::context::session_state;
use crate::context::{locks, seal};
use crate::guard::{ready, temporary, weakened};
use crate::pg::boundary::decide;
use crate::pg::folding;
use pgrx::pg_sys;
use std::ffi::c_void;

pub(super) fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        pg_sys::RegisterXactCallback(Some(end_of_transaction), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(end_of_savepoint), std::ptr::null_mut());
    }
}

unsafe extern "C-unwind" fn end_of_transaction(event: pg_sys::XactEvent::Type, _: *mut c_void) {
    use pg_sys::XactEvent::*;
    if matches!(event, XACT_EVENT_PRE_COMMIT | XACT_EVENT_PRE_PREPARE) {
        // SAFETY: nothing to drop in this frame; the transaction can still fail.
        unsafe { decide(|| session_state::transaction_commits(seal::sealed().is_some())) };
    }
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        session_state::transaction_ended(event != XACT_EVENT_ABORT);
        temporary::transaction_ended();
        ready::transaction_ended();
        weakened::forget(None);
        folding::transaction_ended();
        locks::transaction_ended();
    }
}

unsafe extern "C-unwind" fn end_of_savepoint(
    event: pg_sys::SubXactEvent::Type,
    ended: pg_sys::SubTransactionId,
    _: pg_sys::SubTransactionId,
    _: *mut c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        weakened::forget(Some(ended));
        session_state::savepoint_undone(ended);
    }
}
