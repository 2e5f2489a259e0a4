//! Referential actions. PostgreSQL runs the query of a foreign key with the rights of the owner of the table and
//! outside row-level security; without this guard, so would BEFORE triggers, casts and operators that the query calls.
//!
//! The query itself may pass: PostgreSQL wrote it, and starts it so that no AFTER trigger fires in it. While it is
//! planned, started and run, the flag that puts it outside row-level security is off ([`crate::pg::security`]). Its own
//! policies were decided when it was rewritten, and code of users that runs inside it is judged like any other
//! statement, also in plans that are kept. The flag stays on for a superuser or a backup with no tenant, whose
//! maintenance reaches all tenants.

use crate::context::current;
use crate::pg::security::{self, Saved};
use crate::pg::{raw, registry_row, role};
use std::cell::Cell;

thread_local! {
    /// The statement whose permission check comes next is a foreign key's own query.
    static STARTING: Cell<bool> = const { Cell::new(false) };
}

/// A statement starts; `no_triggers` where it was started so that AFTER triggers wait for the statement around it.
pub fn starting(no_triggers: bool) {
    STARTING.set(no_triggers && raw::InNoForceRLSOperation());
}

/// Whether the statement that is being checked is a foreign key's own query. Asked once.
pub fn is_own_query() -> bool {
    STARTING.replace(false)
}

/// Whether policies do not apply to the owners of tables at this moment.
pub fn is_running() -> bool {
    raw::InNoForceRLSOperation()
}

/// Whether this session may reach all tenants within a referential action.
pub fn reaches_all() -> bool {
    current::tenant().is_none() && role::bypasses_row_security(role::session_user())
}

/// A query is planned, started or run: policies apply within it, where the database has the extension.
pub fn enter() -> Option<Saved> {
    (is_running() && !reaches_all() && registry_row::table().is_some()).then(security::apply_policies_to_owners)
}

/// It is through.
pub fn leave(saved: Option<Saved>) {
    if let Some(saved) = saved {
        security::restore(saved);
    }
}
