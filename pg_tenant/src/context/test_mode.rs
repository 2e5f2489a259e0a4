//! `pg_tenant.test_mode`: suites that run each test in a transaction and roll it back, with savepoints in place of the
//! application's transactions. What was entered in a savepoint ends with it, however it ends, as it would have with the
//! transaction; so several tenants come one after another.

use crate::context::seal::{self, Entered};
use crate::context::{current, identity, owner};
use crate::gucs;
use crate::pg::report::Report;
use crate::pg::{extension, role, setting, transaction};
use pg_tenant_core::{Refusal, SystemContext};
use std::cell::Cell;

thread_local! {
    static WARNED: Cell<bool> = const { Cell::new(false) };
}

/// What the session's first statement is answered with.
pub fn warning() -> Option<Report> {
    let due = gucs::test_mode() && !WARNED.get() && !transaction::is_parallel_worker() && extension::is_installed();
    due.then(|| {
        WARNED.set(true);
        Report::new(Refusal::TestMode, "pg_tenant is in test mode: a transaction may enter several tenants")
            .detail("What a savepoint has entered ends with it, and owners may TRUNCATE protected tables.")
            .hint("Not for production: turn pg_tenant.test_mode off where it is set, in postgresql.conf or for the database.")
    })
}

/// A savepoint is about to be released. What it has entered would be the outer one's: it ends here. May raise.
pub fn savepoint_released() {
    if !gucs::test_mode() || !seal::is_of_savepoint(transaction::savepoint()) {
        return;
    }
    if seal::identity().is_some() {
        identity::set(Some(""), Some(""));
        identity::set_impersonator("");
    }
    if matches!(seal::sealed(), Some(Entered::System(SystemContext::Read | SystemContext::Write))) {
        setting::set_local("role", &seal::role_before().map_or_else(|| "none".into(), role::name));
    }
    current::leave();
    owner::savepoint_undone();
    seal::clear();
}

/// A savepoint was undone, and PostgreSQL's stack of settings has undone the entry. Nothing here can fail.
pub fn savepoint_undone(ended: u32) {
    if gucs::test_mode() && seal::is_within(ended) {
        seal::clear();
    }
}
