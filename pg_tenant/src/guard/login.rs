//! Replication connections. They read every tenant's changes, or the files of the whole server, by commands that no
//! hook sees; so a login of tenants opens none, and no tenant is entered in one.

use crate::pg::report::{Outcome, Report};
use crate::pg::role;
use pg_tenant_core::Refusal;

/// Judges a replication connection that PostgreSQL has authenticated. No database has been chosen: whether the role is
/// bound to a tenant cannot be read, but whether it is one that may enter tenants.
pub fn judge(user: &str) -> Outcome<()> {
    match (role::by_name(user), role::by_name("tenant_user")) {
        (Some(login), Some(group)) if !role::is_superuser(login) && role::is_member(login, group) => Err(Report::new(
            Refusal::ReplicationRefused,
            format!("role \"{user}\" may not open a replication connection"),
        )
        .detail("It is a member of tenant_user; replication carries every tenant's rows, and no policy applies.")
        .hint("Replicate as a role of its own, which is no member of tenant_user.")),
        _ => Ok(()),
    }
}
