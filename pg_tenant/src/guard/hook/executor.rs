//! Queries, as they are made ready and each time they run.

use crate::admission;
use crate::context::{bound, current, impersonation, limits, system, test_mode};
use crate::guard::{folded, function, messages, ready, referential};
use crate::pg::backend_cell::BackendCell;
use crate::pg::boundary::{decide, decide_or_raise, warn};
use crate::pg::security::Saved;
use crate::pg::{folding, raw, transaction};
use crate::registry::Limits;
use crate::stats;
use pgrx::pg_sys::{self, Oid, QueryDesc, ScanDirection};
use std::ffi::c_int;

static PREVIOUS_START: BackendCell<pg_sys::ExecutorStart_hook_type> = BackendCell::new(None);
static PREVIOUS_RUN: BackendCell<pg_sys::ExecutorRun_hook_type> = BackendCell::new(None);

pub(super) fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        PREVIOUS_START.set(pg_sys::ExecutorStart_hook);
        pg_sys::ExecutorStart_hook = Some(executor_start);
        PREVIOUS_RUN.set(pg_sys::ExecutorRun_hook);
        pg_sys::ExecutorRun_hook = Some(executor_run);
    }
}

/// Before PostgreSQL asks whether a statement may write: a bound role's first one finds its limits in force, and a
/// read-only system context is that.
unsafe extern "C-unwind" fn executor_start(query: *mut QueryDesc, flags: c_int) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        begin_bound((*(*query).plannedstmt).parallelModeNeeded);
        let here = 0;
        if !stats::is_within(&here) && !transaction::is_parallel_worker() {
            decide_or_raise(admission::statement);
        }
        referential::starting(flags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as c_int != 0);
        // Partitions are pruned here already, by casts that may be users'.
        let saved = enter_referential();
        let before = ready::count();
        match PREVIOUS_START.get() {
            Some(previous) => previous(query, flags),
            None => raw::standard_ExecutorStart(query, flags),
        }
        referential::leave(saved);
        if ready::is_noting(before) {
            decide(|| ready::started(query, before));
        }
        if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int == 0 && stats::counts() && !referential::is_running() {
            stats::started((*query).operation);
        }
    }
}

/// Where the registry refuses, the permission check says so, for protected tables only; but a worker cannot ask, so
/// none is started then.
///
/// # Safety
/// Nothing to drop in the caller's frame.
pub(super) unsafe fn begin_bound(workers: bool) {
    if !transaction::is_parallel_worker() {
        // SAFETY: the caller's frame holds nothing to drop.
        unsafe {
            if let Some(report) = decide(test_mode::warning) {
                warn(report);
            }
            decide_or_raise(|| {
                folded::begin_statement();
                impersonation::check()?;
                system::keep_read_only();
                let admitted = bound::admit();
                if admitted.is_ok() {
                    admission::enter_bound()?;
                }
                admitted.or_else(|report| if workers { Err(report) } else { Ok(()) })
            })
        }
    }
}

/// After each run: `set_config` in an expression is no command, and raises a limit all the same.
#[cfg(not(feature = "pg18"))]
unsafe extern "C-unwind" fn executor_run(
    query: *mut QueryDesc,
    direction: ScanDirection::Type,
    count: u64,
    execute_once: bool,
) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        let here = 0;
        let measured = stats::counts() && stats::begins(&here);
        let around = resume(query);
        note_folded(query);
        let saved = enter_referential();
        match PREVIOUS_RUN.get() {
            Some(previous) => previous(query, direction, count, execute_once),
            None => raw::standard_ExecutorRun(query, direction, count, execute_once),
        }
        referential::leave(saved);
        ready::has_run(around);
        after_run();
        has_run(query, measured);
    }
}

#[cfg(feature = "pg18")]
unsafe extern "C-unwind" fn executor_run(query: *mut QueryDesc, direction: ScanDirection::Type, count: u64) {
    // SAFETY: as above.
    unsafe {
        let here = 0;
        let measured = stats::counts() && stats::begins(&here);
        let around = resume(query);
        note_folded(query);
        let saved = enter_referential();
        match PREVIOUS_RUN.get() {
            Some(previous) => previous(query, direction, count),
            None => raw::standard_ExecutorRun(query, direction, count),
        }
        referential::leave(saved);
        ready::has_run(around);
        after_run();
        has_run(query, measured);
    }
}

/// What a value is computed from. The caller's frame holds nothing to drop.
///
/// # Safety
/// The argument is PostgreSQL's own, valid during the call; nothing to drop in the caller's frame.
unsafe fn note_folded(query: *mut QueryDesc) {
    if folding::is_running() {
        // SAFETY: the caller's promise, and PostgreSQL's own query.
        unsafe { decide(|| folded::runs(folding::tables(query))) }
    }
}

/// A query begins to run, or goes on, perhaps in another context than it was made ready in; gives what ran around it.
///
/// # Safety
/// The argument is PostgreSQL's own, valid during the call; nothing to drop in the caller's frame.
unsafe fn resume(query: *mut QueryDesc) -> Option<Oid> {
    if impersonation::is_set() {
        // SAFETY: the caller's frame holds nothing to drop.
        unsafe { decide_or_raise(impersonation::check) }
    }
    let held = ready::held(query);
    if let Some(function) = held.filter(|_| current::is_set()) {
        // SAFETY: the caller's frame holds nothing to drop.
        unsafe { decide_or_raise(|| function::in_tenant(function)) }
    }
    ready::runs(held)
}

/// What the query has done is counted.
///
/// # Safety
/// The argument is PostgreSQL's own, valid during the call; nothing to drop in the caller's frame.
unsafe fn has_run(query: *mut QueryDesc, measured: bool) {
    if stats::counts() {
        // SAFETY: the caller's promise; a query that has run has its state.
        unsafe { stats::ran((*query).operation, (*(*query).estate).es_processed) }
    }
    // SAFETY: likewise.
    unsafe {
        let (operation, rows) = ((*query).operation, (*(*query).estate).es_processed);
        if operation != pg_sys::CmdType::CMD_SELECT && rows > 0 && !transaction::is_parallel_worker() {
            decide_or_raise(|| admission::wrote(rows));
        }
    }
    if measured {
        // SAFETY: the caller's promise; every query has a plan.
        let number = unsafe { (*(*query).plannedstmt).queryId };
        // Unsigned until 17.
        stats::ends(stats::Outer::Execution, i64::from_ne_bytes(number.to_ne_bytes()));
    }
}

/// # Safety
/// Nothing to drop in the caller's frame.
unsafe fn after_run() {
    let limits = bound::limits_in_force();
    if limits != Limits::NONE && !transaction::is_parallel_worker() {
        // SAFETY: the caller's frame holds nothing to drop.
        unsafe { decide_or_raise(|| limits::check(limits)) }
    }
    // SAFETY: likewise.
    unsafe { judge_messages() };
}

/// Where the client would hear the server's log. The caller's frame holds nothing to drop.
///
/// # Safety
/// Nothing to drop in the caller's frame.
pub(super) unsafe fn judge_messages() {
    if messages::are_heard() {
        // SAFETY: the caller's promise.
        unsafe { decide_or_raise(messages::judge) };
    }
}

/// Within a foreign key's query, catalogs are read, which may fail.
pub(super) fn enter_referential() -> Option<Saved> {
    // SAFETY: the callers' frames hold nothing to drop.
    if referential::is_running() { unsafe { decide(referential::enter) } } else { None }
}
