//! Expressions that PostgreSQL initialised before the tenant was entered, and that call functions which a tenant may
//! not call. The hook that judges functions runs when an expression is initialised, not when it is evaluated, so such
//! an expression could run later, inside the tenant.
//!
//! PostgreSQL keeps initialised expressions in two places: in open queries (cursors, and the statement that itself
//! enters), and in PL/pgSQL, until the transaction ends or the plan changes. So queries are noted and judged when they
//! go on, and when a tenant is entered all plans are made anew.
//!
//! Only functions of PostgreSQL itself are noted: those of extensions are judged at each call.

use crate::pg::session;
use pgrx::pg_sys::{Oid, QueryDesc};
use std::cell::{Cell, RefCell};

thread_local! {
    /// The last function that was noted, and how many were noted in all.
    static LAST: Cell<Option<Oid>> = const { Cell::new(None) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Queries of this transaction that call such a function. When a query has ended, another one may get its address;
    /// it removes the old note when it starts.
    static HOLDING: RefCell<Vec<(*mut QueryDesc, Oid)>> = const { RefCell::new(Vec::new()) };
    /// The noted function of the query that is running. After an error it may be that of an inner query which has
    /// ended.
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

/// How many were noted so far.
pub fn count() -> u64 {
    COUNT.get()
}

/// Whether [`started`] has something to note.
pub fn is_noting(before: u64) -> bool {
    COUNT.get() != before || HOLDING.with_borrow(|holding| !holding.is_empty())
}

/// A query has been initialised; `before` is what [`count`] said when that began.
pub fn started(query: *mut QueryDesc, before: u64) {
    HOLDING.with_borrow_mut(|holding| {
        holding.retain(|&(other, _)| other != query);
        if let Some(function) = LAST.get().filter(|_| COUNT.get() != before) {
            holding.push((query, function));
        }
    });
}

/// The noted function that this query calls, if there is one.
pub fn held(query: *mut QueryDesc) -> Option<Oid> {
    HOLDING.with_borrow(|holding| holding.iter().find(|&&(other, _)| other == query).map(|&(_, function)| function))
}

/// A query starts to run, with a noted function or without. Returns what [`has_run`] needs when it stops.
pub fn runs(function: Option<Oid>) -> Option<Oid> {
    let around = RUNNING.get();
    RUNNING.set(function.or(around));
    around
}

/// The query has stopped running.
pub fn has_run(around: Option<Oid>) {
    RUNNING.set(around);
}

/// The noted function that a statement which runs could still call.
pub fn running() -> Option<Oid> {
    RUNNING.get()
}

/// A tenant is entered: plans are made anew, so that the functions in them are judged.
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
