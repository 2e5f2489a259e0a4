//! Who works on all tenants with no tenant entered.

use crate::context::current;
use crate::pg::role;
use pgrx::pg_sys::Oid;

/// Whether this user works on all tenants with no tenant entered: a superuser, or a backup (BYPASSRLS with
/// `row_security = off`, as pg_dump sets it), with the rights of their own login. A function, a view or a SET ROLE that
/// borrows such rights does not count.
pub fn is_exempt(user: Oid) -> bool {
    let own_rights = user == role::current_user() && user == role::outer_user();
    own_rights
        && role::bypasses_row_security(user)
        && role::bypasses_row_security(role::session_user())
        && (role::is_superuser_session() || role::row_security_is_off())
}

/// Whether this user may work on a table that has lost its fence, with no tenant entered: the owner, who fills and
/// protects it, and users who never enter tenants.
pub fn may_mend(user: Oid, table: Oid) -> bool {
    let owns = || user == role::current_user() && user == role::outer_user() && role::owns(user, table);
    let enters = || {
        let users = [user, role::outer_user(), role::session_user()];
        role::by_name("tenant_user").is_some_and(|group| users.into_iter().any(|user| role::is_member(user, group)))
    };
    current::tenant().is_none() && (owns() || !enters())
}
