//! Rows of catalogs that everybody may read and that show something of other tenants: statistics of protected tables,
//! their indexes and statistics objects (`pg_stats` and the like); settings of other logins, with the tenants they are
//! bound to (`pg_roles`, `pg_db_role_setting`); the list of large objects. Each scan of such a catalog gets a condition
//! that is evaluated for each row ([`crate::pg::hiding`]), so that a view shows the remaining rows instead of being
//! refused.

use crate::context::current;
use crate::guard::in_tenant;
use crate::gucs;
use crate::pg::{hiding, proc, relation, role};
use crate::policy::protection::{self, Protection, Rows};
use pgrx::pg_sys::Oid;

/// Whether the row of this catalog with this key is shown to the current user.
pub fn is_shown(catalog: Oid, key: Oid) -> bool {
    if role::is_superuser_session() {
        return true;
    }
    match catalog {
        hiding::STATISTIC => statistics_are_shown(key),
        hiding::STATISTIC_EXT_DATA => hiding::statistics_table(key).is_none_or(statistics_are_shown),
        // Our own functions turn the guards off.
        _ if !in_tenant::here() || !gucs::guards() => true,
        hiding::DB_ROLE_SETTING => key == Oid::INVALID || key == role::session_user(),
        // A bound login sees the large objects it owns, for its dump. Those of a login that enters tenants belong to
        // all of them.
        hiding::LARGEOBJECT_METADATA => current::session_tenant().is_some() && key == role::session_user(),
        _ => true,
    }
}

/// PostgreSQL shows statistics on columns of a table to users to whom its policies do not apply, and statistics on
/// expressions, materialized views and foreign tables to their owner and to whoever can read everything.
fn statistics_are_shown(of: Oid) -> bool {
    let exempt = || !in_tenant::here() && role::bypasses_row_security(role::current_user());
    match protection::of(relation::indexed(of)) {
        Protection::None | Protection::Shadows(_) | Protection::Held(_) => true,
        Protection::Uncovered(Rows::Foreign) => !in_tenant::here(),
        Protection::Fenced(_) | Protection::Broken(_) | Protection::Uncovered(Rows::Of(_)) => exempt(),
    }
}

/// The function that a scan asks, where this database has it: [`is_shown`].
pub fn asked_by() -> Option<Oid> {
    proc::of_oids("is_shown")
}
