//! Expressions that were made ready in this transaction with no tenant, and call what a tenant's transaction may not: the
//! hook that judges functions sees an expression then, and not when it is evaluated. PostgreSQL keeps such expressions in
//! two places, queries that are open (cursors, the statement that enters itself), and PL/pgSQL's, which last as long as the
//! transaction and their plans. So queries are noted and judged when they go on, and plans are made anew.
//!
//! PostgreSQL's own functions only: those of extensions are judged at each call.

use crate::guard::function;
use crate::pg::report::Outcome;
use crate::pg::session;
use pgrx::pg_sys::{Oid, QueryDesc};
use std::cell::{Cell, RefCell};

thread_local! {
    /// The function that was last made ready so, and how many were.
    static LAST: Cell<Option<Oid>> = const { Cell::new(None) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Queries of this transaction that have such a function. One that has ended leaves its address to another, which
    /// takes it off the list when it starts.
    static HOLDING: RefCell<Vec<(*mut QueryDesc, Oid)>> = const { RefCell::new(Vec::new()) };
    /// The function in a query that runs at this moment. After an error, that of a query which ran within the one that
    /// runs.
    static RUNNING: Cell<Option<Oid>> = const { Cell::new(None) };
}

/// Makes room for the notes, before the first session: see pg/memory.rs.
pub fn init() {
    HOLDING.take();
}

/// A function that a tenant's transaction may not call is made ready, with no tenant.
pub fn note(function: Oid) {
    LAST.set(Some(function));
    COUNT.set(COUNT.get() + 1);
}

/// How many were.
pub fn count() -> u64 {
    COUNT.get()
}

/// Whether [`started`] has something to note.
pub fn is_noting(before: u64) -> bool {
    COUNT.get() != before || HOLDING.with_borrow(|holding| !holding.is_empty())
}

/// A query has been made ready to run, since this many were.
pub fn started(query: *mut QueryDesc, before: u64) {
    HOLDING.with_borrow_mut(|holding| {
        holding.retain(|&(other, _)| other != query);
        if let Some(function) = LAST.get().filter(|_| COUNT.get() != before) {
            holding.push((query, function));
        }
    });
}

/// A query runs, or goes on: the function that was made ready in it with no tenant.
pub fn held(query: *mut QueryDesc) -> Option<Oid> {
    HOLDING.with_borrow(|holding| holding.iter().find(|&&(other, _)| other == query).map(|&(_, function)| function))
}

/// A query runs from now on, with this function or without; gives what ran around it.
pub fn runs(function: Option<Oid>) -> Option<Oid> {
    let around = RUNNING.get();
    RUNNING.set(function.or(around));
    around
}

/// It has run.
pub fn has_run(around: Option<Oid>) {
    RUNNING.set(around);
}

/// Refuses to enter within a statement that may call such a function after it.
pub fn refuse_running() -> Outcome<()> {
    RUNNING.get().map_or(Ok(()), function::in_tenant)
}

/// A tenant is entered: what PL/pgSQL keeps is made ready anew, and judged.
pub fn forget_plans() {
    if LAST.take().is_some() {
        session::forget_plans();
    }
}

/// The transaction has ended.
pub fn transaction_ended() {
    LAST.set(None);
    HOLDING.with_borrow_mut(Vec::clear);
    RUNNING.set(None);
}
