//! Whether the extension is installed in this database.

use pgrx::pg_sys::{self, Oid};

/// Whether this database has the whole extension: in the middle of CREATE EXTENSION or of an update, our functions do
/// not all exist, or are not as we know them. `pg_upgrade` creates what belongs to an extension piece by piece.
pub fn is_complete() -> bool {
    // SAFETY: with missing_ok the lookup returns InvalidOid; the variables are this backend's own.
    unsafe {
        let ours = pg_sys::get_extension_oid(c"pg_tenant".as_ptr(), true);
        ours != Oid::INVALID
            && !pg_sys::IsBinaryUpgrade
            && !(pg_sys::creating_extension && pg_sys::CurrentExtensionObject == ours)
    }
}

/// Whether this database has the extension.
pub fn is_installed() -> bool {
    // SAFETY: with missing_ok the lookup returns InvalidOid.
    unsafe { pg_sys::get_extension_oid(c"pg_tenant".as_ptr(), true) != Oid::INVALID }
}

/// The schema of what only the extension calls: `tenant_internal`, where it is the extension's own, and not one that
/// somebody made while the database still has 0.1.0's schema, which keeps everything in `tenant`.
pub fn internal_schema() -> Oid {
    // SAFETY: syscache lookups that return InvalidOid where there is nothing, and a scan of pg_depend.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"tenant_internal".as_ptr(), true);
        if schema != Oid::INVALID && is_member(pg_sys::NamespaceRelationId, schema) {
            return schema;
        }
        pg_sys::get_namespace_oid(c"tenant".as_ptr(), true)
    }
}

/// Whether the table is one of the extension's own. The months of the journal are, and no members of it: a dump brings
/// them.
pub fn owns_table(table: Oid) -> bool {
    // SAFETY: syscache lookups that return InvalidOid where there is nothing, and a scan of pg_depend.
    unsafe {
        let schema = pg_sys::get_rel_namespace(table);
        if schema == Oid::INVALID {
            return false;
        }
        let internal = pg_sys::get_namespace_oid(c"tenant_internal".as_ptr(), true);
        schema == pg_sys::get_namespace_oid(c"tenant".as_ptr(), true) && is_member(pg_sys::RelationRelationId, table)
            || schema == internal && is_member(pg_sys::NamespaceRelationId, internal)
    }
}

/// Whether this object of that catalog belongs to the extension.
///
/// # Safety
/// Called where a catalog may be read.
unsafe fn is_member(catalog: Oid, object: Oid) -> bool {
    // SAFETY: the caller's promise; with missing_ok the lookup returns InvalidOid.
    unsafe {
        let ours = pg_sys::get_extension_oid(c"pg_tenant".as_ptr(), true);
        ours != Oid::INVALID && pg_sys::getExtensionOfObject(catalog, object) == ours
    }
}
