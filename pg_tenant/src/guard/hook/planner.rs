//! Queries, before and after they are planned.

use super::executor::{enter_referential, judge_messages};
use crate::context::owner;
use crate::guard::{fence, folded, function, hidden, referential};
use crate::pg::backend_cell::BackendCell;
use crate::pg::boundary::{decide, decide_or_raise};
use crate::pg::{folding, hiding, lifted, plans, proc, raw, transaction};
use crate::policy::protection;
use crate::stats;
use pgrx::pg_sys;
use std::ffi::{c_char, c_int};

static PREVIOUS: BackendCell<pg_sys::planner_hook_type> = BackendCell::new(None);

pub(super) fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        PREVIOUS.set(pg_sys::planner_hook);
        pg_sys::planner_hook = Some(planner);
    }
}

/// Within a foreign key's query, immutable functions run while it is planned. `debug_print_plan` speaks after this.
unsafe extern "C-unwind" fn planner(
    query: *mut pg_sys::Query,
    text: *const c_char,
    cursor_options: c_int,
    params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: nothing to drop in this frame; the query is the planner's to change.
    unsafe {
        judge_messages();
        if folding::is_held() && !transaction::is_parallel_worker() {
            decide(folded::begin_statement);
        }
        decide(|| {
            if owner::in_force() {
                lifted::lift(query, owner::is_lifted);
            }
            hiding::hide(query, hidden::asked_by);
        });
    }
    let here = 0;
    let measured = stats::counts() && stats::begins(&here);
    let computed = folding::computed();
    let saved = enter_referential();
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    let plan = unsafe {
        match PREVIOUS.get() {
            Some(previous) => previous(query, text, cursor_options, params),
            None => raw::standard_planner(query, text, cursor_options, params),
        }
    };
    referential::leave(saved);
    if measured {
        stats::ends(stats::Outer::Planning, 0);
    }
    // SAFETY: the plan was made a moment ago, and nobody else has seen it. Nothing to drop in this frame.
    unsafe {
        decide_or_raise(|| plans::fences_first(plan, fence::of).map_or(Ok(()), fence::judge));
        decide(|| {
            if let Some(answered) = function::answered() {
                plans::hide_calls(plan, answered, function::answering);
            }
            folding::planned(plan, computed);
            let fenced = |table| protection::fence(table).is_some() && !owner::is_lifted(table, pg_sys::Oid::INVALID);
            plans::ask_policy_before_conflict(plan, fenced, || proc::internal("own_row"));
        });
    }
    plan
}
