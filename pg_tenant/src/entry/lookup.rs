//! Looking a tenant up by a declared key of a table, before one is known: `tenant.lookup`. Who may, and how often.

use crate::context::{current, refusals, seal};
use crate::gucs;
use crate::pg::report::{Outcome, Report};
use crate::pg::text::{CText, ctext};
use crate::pg::{lookups, relation, role, server};
use pg_tenant_core::{Counted, Due, Refusal};
use pgrx::pg_sys::Oid;

/// A lookup that was admitted.
#[derive(Clone, Copy)]
pub struct AdmittedLookup {
    /// What the journal and the log are to say.
    pub due: Option<(Due, CText)>,
}

/// Counts a lookup of the session by this column of this table.
///
/// Refuses one inside a tenant, or where the transaction has entered anything (`TN110`), one by a role that enters with
/// a signed token only (`TN090`), and one too many in a minute (`TN058`).
pub fn admit(table: Oid, column: i16) -> Outcome<AdmittedLookup> {
    if current::entered().is_some() || current::session_tenant().is_some() || seal::sealed().is_some() {
        return Err(lookup_in_tenant());
    }
    if gucs::require_signed() {
        return Err(refusals::signed_entry_required());
    }
    let most = gucs::max_lookups_per_minute();
    let login = role::session_user();
    let key = lookups::key(login, table, column);
    match lookups::count(key, server::now(), most) {
        Counted::Passed(due) => {
            Ok(AdmittedLookup { due: due.map(|due| (due, ctext(line(table, column, &role::name(login), due)))) })
        }
        Counted::TooMany => Err(lookup_limited(table, column, &role::name(login), most)),
        Counted::NoPlace => Err(lookup_limited_by_memory()),
    }
}

fn by(table: Oid, column: i16) -> String {
    format!("of {} by \"{}\"", relation::name(table), relation::column_name(table, column))
}

fn line(table: Oid, column: i16, login: &str, due: Due) -> String {
    let Due { since, lookups, refused } = due;
    let by = by(table, column);
    format!("role \"{login}\" looked tenants up {by}: {lookups} lookups, {refused} refused since {since} (epoch)")
}

fn lookup_in_tenant() -> Report {
    Report::new(Refusal::LookupInTenant, "tenants are not looked up from inside a tenant")
        .detail("The transaction has entered a tenant or the system context, or the session is bound to a tenant.")
        .hint("Look the tenant up before entering one, in a transaction of its own.")
}

fn lookup_limited(table: Oid, column: i16, login: &str, most: Option<u64>) -> Report {
    let most = most.unwrap_or_default();
    Report::new(Refusal::LookupLimited, format!("too many lookups {} in a minute", by(table, column)))
        .detail(format!("pg_tenant.max_lookups_per_minute is {most} for role \"{login}\", in all its sessions together."))
        .hint("Try again in the next minute. A superuser raises it: alter role ... set pg_tenant.max_lookups_per_minute = ...;")
}

fn lookup_limited_by_memory() -> Report {
    Report::new(Refusal::LookupLimited, "lookups of so many roles and keys cannot be counted")
        .detail("Shared memory has no place for one more, or the server has not given it.")
        .hint("Look up by fewer login roles; a place is free again when it was not used for an hour.")
}
