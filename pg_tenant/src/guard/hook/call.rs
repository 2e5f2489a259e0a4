//! Calls of functions of users, one by one.

use crate::context::current;
use crate::guard::function;
use crate::pg::backend_cell::BackendCell;
use crate::pg::boundary::{decide, decide_or_raise};
use pgrx::pg_sys::{self, Oid};

static PREVIOUS_NEEDS: BackendCell<pg_sys::needs_fmgr_hook_type> = BackendCell::new(None);
static PREVIOUS: BackendCell<pg_sys::fmgr_hook_type> = BackendCell::new(None);

pub(super) fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        PREVIOUS_NEEDS.set(pg_sys::needs_fmgr_hook);
        pg_sys::needs_fmgr_hook = Some(needs_call_hook);
        PREVIOUS.set(pg_sys::fmgr_hook);
        pg_sys::fmgr_hook = Some(function_called);
    }
}

/// Which functions are judged at each call: PostgreSQL then calls them by way of [`function_called`].
unsafe extern "C-unwind" fn needs_call_hook(function: Oid) -> bool {
    // SAFETY: nothing to drop in this frame.
    unsafe {
        function::is_of_users(function) && decide(|| function::is_judged_at_call(function))
            || PREVIOUS_NEEDS.get().is_some_and(|needs| needs(function))
    }
}

unsafe extern "C-unwind" fn function_called(
    event: pg_sys::FmgrHookEventType::Type,
    info: *mut pg_sys::FmgrInfo,
    argument: *mut pg_sys::Datum,
) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        let function = (*info).fn_oid;
        if event == pg_sys::FmgrHookEventType::FHET_START && current::is_set() {
            decide_or_raise(
                || if function::is_judged_at_call(function) { function::in_tenant(function) } else { Ok(()) },
            );
        }
        if let Some(previous) = PREVIOUS.get() {
            previous(event, info, argument);
        }
    }
}
