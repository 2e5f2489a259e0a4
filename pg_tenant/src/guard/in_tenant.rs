//! Whether the transaction is inside a tenant, and the refusals of what may not be defined there.

use crate::context::current;
use crate::pg::report::Report;
use crate::pg::{extension, policy, relation};
use crate::policy::protection::{self, Protection};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

/// Whether the transaction is inside a tenant, in a database that has the extension. (A bound role has a tenant in
/// other databases, too.)
pub fn here() -> bool {
    current::is_set() && extension::is_installed()
}

/// The table's fence, whether or not it has a gap.
pub fn fence(table: Oid) -> Option<policy::Fence> {
    match protection::of(table) {
        Protection::None => None,
        _ => protection::fence(table),
    }
}

/// Whether the table is protected, or is above or below a protected one in a hierarchy.
pub fn concerns(table: Oid) -> bool {
    matches!(protection::of(table), Protection::Fenced(_) | Protection::Broken(_))
}

/// TN011: the command would weaken a protected table.
pub fn protection_guarded(table: Oid, what: &str) -> Report {
    let name = relation::name(table);
    Report::new(Refusal::ProtectionGuarded, format!("the command would weaken the protection of table {name}"))
        .detail(format!("It would {what}."))
        .hint(format!(
            "select tenant.unprotect({}, '<reason>'); removes the protection and records who did.",
            relation::literal(table)
        ))
}

/// TN034: data definition inside a tenant.
pub fn ddl_in_tenant(table: Oid, what: &str) -> Report {
    let name = relation::name(table);
    Report::new(Refusal::DdlInTenant, format!("table {name} cannot be redefined in a tenant's transaction"))
        .detail(format!("The command was {what}; it would reach every tenant's rows."))
        .hint("Run migrations as the table's owner in a transaction that has entered no tenant.")
}
