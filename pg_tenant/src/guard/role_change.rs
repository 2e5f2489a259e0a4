//! Roles and the settings that are stored for them. A change stays after the transaction and the session, and applies
//! to the next login of a role that all tenants share.
//!
//! Changes are seen in the catalogs as they are written, whichever command made them; memberships, for which PostgreSQL
//! calls no hook, are seen in the commands.

use crate::context::current;
use crate::guard::in_tenant;
use crate::gucs;
use crate::pg::oids;
use crate::pg::report::{Outcome, Report};
use crate::pg::role;
use pg_tenant_core::Refusal;
use pgrx::pg_sys::{self, Oid};

/// The catalogs `pg_db_role_setting` and `pg_user_mapping`.
const STORED_SETTING: Oid = oids::DbRoleSettingRelationId;
const USER_MAPPING: Oid = oids::UserMappingRelationId;

/// What an object of this class is, where a change of it is judged.
pub fn what(class: Oid) -> Option<&'static str> {
    match class {
        pg_sys::AuthIdRelationId => Some("a change of a role"),
        STORED_SETTING => Some("a change of the settings stored for a role or a database"),
        USER_MAPPING => Some("a change of a user mapping"),
        _ => None,
    }
}

/// Judges a change of a role, a membership or a stored setting. Refused to roles that enter tenants, and inside a
/// tenant to everybody.
pub fn judge(what: &str) -> Outcome<()> {
    let in_tenant = in_tenant::here();
    if !gucs::guards() || !(in_tenant || only_enters_tenants()) {
        return Ok(());
    }
    Err(role_change_refused(what, in_tenant))
}

/// Judges REASSIGN OWNED and DROP OWNED of one's own role, inside a tenant, where tenants share the role.
pub fn judge_owned(what: &str) -> Outcome<()> {
    if gucs::guards() && in_tenant::here() && !current::is_bound() {
        Err(role_change_refused(what, true))
    } else {
        Ok(())
    }
}

/// Whether the login role may enter tenants and is no administrator. False for all where the role `tenant_user` does
/// not exist.
fn only_enters_tenants() -> bool {
    let login = role::session_user();
    let is_in = |name| role::by_name(name).is_some_and(|role| role::is_member(login, role));
    let enters = is_in("tenant_user") || is_in("tenant_support");
    current::session_tenant().is_some() || !role::is_superuser(login) && enters && !is_in("tenant_admin")
}

fn role_change_refused(what: &str, in_tenant: bool) -> Report {
    let login = role::name(role::session_user());
    let (why, hint) = if in_tenant {
        ("a tenant's transaction", "Do it as an administrator, in a transaction that has entered no tenant.")
    } else {
        ("a session that may enter tenants", "Do it as an administrator: a superuser, or a member of tenant_admin.")
    };
    Report::new(Refusal::RoleChangeRefused, format!("{what} is refused in {why}"))
        .detail(format!(
            "Role \"{login}\" logged in. What is stored for a role is in force in every later login, whichever tenant's."
        ))
        .hint(hint)
}
