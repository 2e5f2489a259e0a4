//! What is said where a transaction or a session is already in something, or may not enter at all.

use crate::pg::report::Report;
use crate::pg::role;
use pg_tenant_core::{Refusal, TenantId};

/// TN005: the transaction has entered another tenant.
pub fn already_entered(id: TenantId, sealed: TenantId) -> Report {
    Report::new(Refusal::AlreadyEntered, format!("cannot enter tenant \"{id}\": this transaction belongs to another"))
        .detail(format!("The transaction has entered tenant \"{sealed}\"."))
        .hint("Commit or roll back, then enter the other tenant in a transaction of its own.")
}

/// TN006: the session's role is bound to another tenant.
pub fn bound_to_another_tenant(id: TenantId, bound: TenantId) -> Report {
    Report::new(
        Refusal::BoundToAnotherTenant,
        format!("cannot enter tenant \"{id}\": this session is bound to another"),
    )
    .detail(format!("Role \"{}\" logged in bound to tenant \"{bound}\".", role::name(role::session_user())))
    .hint("Log in as a role that is not bound, or as the one bound to that tenant.")
}

/// TN014: the transaction has entered something else, and enters one thing only.
pub fn context_sealed(wanted: &str, entered: &str) -> Report {
    Report::new(Refusal::ContextSealed, format!("cannot {wanted}: this transaction has entered something else"))
        .detail(format!("The transaction has entered {entered}."))
        .hint("Commit or roll back, then enter it in a transaction of its own.")
}

/// TN014, where a tenant was wanted.
pub fn in_system_context(id: TenantId) -> Report {
    context_sealed(&format!("enter tenant \"{id}\""), "the system context")
}

/// TN099: the transaction was entered without a token, or with one for another actor or role.
pub fn another_actor(detail: &str) -> Report {
    Report::new(Refusal::AnotherActor, "this transaction was entered for another actor")
        .detail(detail)
        .hint("Commit or roll back, then enter in a transaction of its own.")
}

/// TN090: the role enters tenants with a signed token only, and has shown none.
pub fn signed_entry_required() -> Report {
    Report::new(Refusal::SignedEntryRequired, "this role enters tenants with a signed token only")
        .detail("pg_tenant.require_signed is on in this session.")
        .hint("Pass the token as a parameter: select tenant.enter_signed($1);")
}

/// TN071: a bound role opens a replication connection, which would carry every tenant's rows.
pub fn bound_replication_refused() -> Report {
    Report::new(Refusal::ReplicationRefused, "a role that is bound to a tenant may not open a replication connection")
        .detail("Replication carries every tenant's rows, and no policy applies.")
        .hint("Replicate as a role of its own; an administrator ends the binding with tenant.unbind_role().")
}

/// As [`bound_replication_refused`], for a tenant that is about to be entered.
pub fn replication_refused(id: TenantId) -> Report {
    Report::new(Refusal::ReplicationRefused, format!("cannot enter tenant \"{id}\" in a replication connection"))
        .detail("Its commands carry every tenant's rows, and no policy applies to them.")
        .hint("Open another connection for the tenant's statements.")
}
