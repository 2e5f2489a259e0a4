//! Rows of catalogs that everybody may read and that tell of other tenants: the statistics of protected tables, of their
//! indexes and statistics objects, in `pg_stats` and its like; other logins' settings, among them the tenants they are
//! bound to, in `pg_roles` and `pg_db_role_setting`; the list of large objects. Each scan of one asks row by row
//! ([`crate::pg::hiding`]), so that a view shows what is left rather than being refused.

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
        // A bound login dumps its own; those of a login that enters are every tenant's.
        hiding::LARGEOBJECT_METADATA => current::session_tenant().is_some() && key == role::session_user(),
        _ => true,
    }
}

/// PostgreSQL shows the statistics of a table's columns to whom its policies do not apply; those of an expression, of a
/// materialized view or of a foreign table it shows to their owner and to whoever reads everything.
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
