//! Roles: who runs a statement, and whether row-level security applies to them.

use crate::pg::{raw, text};
use pgrx::pg_sys::{self, Oid};

/// The user whose rights the current statement has.
pub fn current_user() -> Oid {
    raw::GetUserId()
}

/// The user who logged in (or what SET SESSION AUTHORIZATION made of them).
pub fn session_user() -> Oid {
    raw::GetSessionUserId()
}

/// The user outside any function: the one who logged in, or whom SET ROLE has put in their place.
pub fn outer_user() -> Oid {
    // SAFETY: a plain read of a variable of this backend.
    unsafe { pg_sys::GetOuterUserId() }
}

/// Whether session user and current user are both superusers: a superuser at work, not a function borrowing one.
pub fn is_superuser_session() -> bool {
    is_superuser(raw::GetUserId()) && is_superuser(raw::GetSessionUserId())
}

/// Whether the role is a superuser.
pub fn is_superuser(role: Oid) -> bool {
    // SAFETY: a syscache lookup.
    unsafe { pg_sys::superuser_arg(role) }
}

/// Whether row-level security does not apply to the role: superusers and BYPASSRLS.
pub fn bypasses_row_security(role: Oid) -> bool {
    // SAFETY: a syscache lookup.
    unsafe { pg_sys::has_bypassrls_privilege(role) }
}

/// The role with this name, if there is one.
pub fn by_name(name: &str) -> Option<Oid> {
    // SAFETY: a syscache lookup of a NUL-terminated copy; with missing_ok it returns InvalidOid.
    let role = unsafe { pg_sys::get_role_oid(text::ctext(name).as_ptr(), true) };
    (role != Oid::INVALID).then_some(role)
}

/// Whether SET ROLE takes `member` to `role`.
pub fn may_become(member: Oid, role: Oid) -> bool {
    // SAFETY: syscache lookups.
    #[cfg(feature = "pg15")]
    unsafe {
        pg_sys::is_member_of_role(member, role)
    }
    // SAFETY: syscache lookups.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        pg_sys::member_can_set_role(member, role)
    }
}

/// Whether the role is a member of that one, at any distance. Not a superuser, who is no member of anything by that.
pub fn is_member(member: Oid, role: Oid) -> bool {
    // SAFETY: syscache lookups.
    unsafe { pg_sys::is_member_of_role_nosuper(member, role) }
}

/// Whether the session has `row_security = off`, as pg_dump sets it.
pub fn row_security_is_off() -> bool {
    // SAFETY: a plain read of a setting's variable in this backend.
    unsafe { !pg_sys::row_security }
}

/// Whether the role owns the relation, or is a member of the role that does.
pub fn owns(role: Oid, relation: Oid) -> bool {
    // SAFETY: syscache lookups.
    #[cfg(feature = "pg15")]
    unsafe {
        pg_sys::pg_class_ownercheck(relation, role)
    }
    // SAFETY: as above.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        pg_sys::object_ownercheck(pg_sys::RelationRelationId, relation, role)
    }
}

/// The owner of the relation, if there is one.
pub fn owner(relation: Oid) -> Option<Oid> {
    // SAFETY: the tuple is valid until it is released; GETSTRUCT of a pg_class tuple is FormData_pg_class.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, relation.into());
        if tuple.is_null() {
            return None;
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        Some(owner)
    }
}

/// Whether the role may put a trigger on the relation.
pub fn may_put_triggers(role: Oid, relation: Oid) -> bool {
    // SAFETY: syscache lookups of a relation that is there.
    unsafe { pg_sys::pg_class_aclcheck(relation, role, pg_sys::ACL_TRIGGER.into()) == pg_sys::AclResult::ACLCHECK_OK }
}

/// Whether the role reads everything by the predefined role `pg_read_all_data`, or is a superuser.
pub fn reads_all_data(role: Oid) -> bool {
    const PG_READ_ALL_DATA: Oid = Oid::from_u32(6181);
    // SAFETY: syscache lookups.
    unsafe { pg_sys::has_privs_of_role(role, PG_READ_ALL_DATA) }
}

/// The role's name, for messages.
pub fn name(role: Oid) -> String {
    // SAFETY: with noerr the function returns null where there is no such role.
    unsafe { text::owned(pg_sys::GetUserNameFromId(role, true)) }
}
