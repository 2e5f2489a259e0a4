//! Who works on all tenants with no tenant entered.

use crate::context::current;
use crate::pg::role;
use pgrx::pg_sys::Oid;

/// Who works on all tenants with no tenant entered: a superuser at work, and a backup: BYPASSRLS with
/// `row_security = off`, which is what pg_dump sets. Not a function, a view or a SET ROLE that borrows their rights.
pub fn is_exempt(user: Oid) -> bool {
    let own_rights = user == role::current_user() && user == role::outer_user();
    own_rights
        && role::bypasses_row_security(user)
        && role::bypasses_row_security(role::session_user())
        && (role::is_superuser_session() || role::row_security_is_off())
}

/// Who works with a table that has lost its fence, with no tenant entered: its owner, who fills and protects it, and who
/// never enters tenants.
pub fn may_mend(user: Oid, table: Oid) -> bool {
    let owns = || user == role::current_user() && user == role::outer_user() && role::owns(user, table);
    let enters = || {
        let users = [user, role::outer_user(), role::session_user()];
        role::by_name("tenant_user").is_some_and(|group| users.into_iter().any(|user| role::is_member(user, group)))
    };
    current::tenant().is_none() && (owns() || !enters())
}
