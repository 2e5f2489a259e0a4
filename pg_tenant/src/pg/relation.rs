//! Relations by oid and by name.

use crate::pg::{list, text};
use pgrx::pg_sys::{self, Oid};

/// What `pg_class` says of a relation, as far as we ask.
#[derive(Clone, Copy)]
pub struct Class {
    pub kind: u8,
    pub row_security: bool,
    pub forced: bool,
    pub has_children: bool,
    pub temporary: bool,
}

/// The relation's row of `pg_class`, or none where it does not exist (any more).
pub fn class(relation: Oid) -> Option<Class> {
    // SAFETY: the tuple is valid until it is released; GETSTRUCT of a pg_class tuple is FormData_pg_class.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, relation.into());
        if tuple.is_null() {
            return None;
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>();
        let class = Class {
            kind: form.relkind as u8,
            row_security: form.relrowsecurity,
            forced: form.relforcerowsecurity,
            has_children: form.relhassubclass,
            temporary: form.relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP,
        };
        pg_sys::ReleaseSysCache(tuple);
        Some(class)
    }
}

/// Whether the table is a partition.
pub fn is_partition(relation: Oid) -> bool {
    // SAFETY: a syscache lookup, false where there is nothing.
    unsafe { pg_sys::get_rel_relispartition(relation) }
}

/// Whether the column is declared NOT NULL.
pub fn is_not_null(relation: Oid, attnum: i16) -> bool {
    // SAFETY: the tuple is valid until it is released; GETSTRUCT of a pg_attribute tuple is FormData_pg_attribute.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::ATTNUM as i32;
        let tuple = pg_sys::SearchSysCache2(cache, relation.into(), attnum.into());
        if tuple.is_null() {
            return false;
        }
        let found = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_attribute>()).attnotnull;
        pg_sys::ReleaseSysCache(tuple);
        found
    }
}

impl Class {
    pub fn is_view(self) -> bool {
        self.kind == pg_sys::RELKIND_VIEW
    }

    pub fn is_materialized_view(self) -> bool {
        self.kind == pg_sys::RELKIND_MATVIEW
    }

    pub fn is_toast(self) -> bool {
        self.kind == pg_sys::RELKIND_TOASTVALUE
    }

    pub fn is_sequence(self) -> bool {
        self.kind == pg_sys::RELKIND_SEQUENCE
    }

    pub fn is_foreign_table(self) -> bool {
        self.kind == pg_sys::RELKIND_FOREIGN_TABLE
    }

    /// What can stand in a hierarchy of tables: with a foreign table, which cannot carry a policy.
    pub fn has_rows_of_tables(self) -> bool {
        self.is_table() || self.is_foreign_table()
    }

    /// An ordinary or a partitioned table: what can carry a policy.
    pub fn is_table(self) -> bool {
        matches!(self.kind, pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE)
    }
}

/// The relation's name as SQL writes it, qualified by its schema, for messages; empty where it does not exist.
pub fn name(relation: Oid) -> String {
    // SAFETY: both lookups return null or a palloc'ed string; the quoted name is palloc'ed too.
    unsafe {
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        let name = pg_sys::get_rel_name(relation);
        if schema.is_null() || name.is_null() {
            return String::new();
        }
        text::owned(pg_sys::quote_qualified_identifier(schema, name))
    }
}

/// A schema's name as SQL writes it, for messages.
pub fn schema_name(schema: Oid) -> String {
    // SAFETY: the lookup returns null or a palloc'ed string; the quoted name is that or a palloc'ed one.
    unsafe {
        let name = pg_sys::get_namespace_name(schema);
        if name.is_null() { String::new() } else { text::owned(pg_sys::quote_identifier(name)) }
    }
}

/// The relation's name as a SQL literal, for a HINT that calls a function with it.
pub fn literal(relation: Oid) -> String {
    quoted(&name(relation))
}

/// A SQL literal.
pub fn quoted(value: &str) -> String {
    let value = text::ctext(value);
    // SAFETY: ctext gives a NUL-terminated copy; the quoted one is palloc'ed.
    unsafe { text::owned(pg_sys::quote_literal_cstr(value.as_ptr())) }
}

/// A name as SQL writes it.
pub fn identifier(name: &str) -> String {
    let name = text::ctext(name);
    // SAFETY: ctext gives a NUL-terminated copy; the quoted one is palloc'ed, or the copy itself.
    unsafe { text::owned(pg_sys::quote_identifier(name.as_ptr())) }
}

/// The table that this TOAST table belongs to: its name says so.
pub fn toasted(toast: Oid) -> Option<Oid> {
    // SAFETY: the lookup returns null or a palloc'ed string.
    let name = unsafe { text::owned_opt(pg_sys::get_rel_name(toast)) }?;
    name.strip_prefix("pg_toast_")?.parse().ok().map(Oid::from_u32)
}

/// The table that the index is on; the relation itself where it is no index.
pub fn indexed(relation: Oid) -> Oid {
    // SAFETY: with missing_ok the lookup does not raise for what is no index.
    match unsafe { pg_sys::IndexGetRelation(relation, true) } {
        Oid::INVALID => relation,
        table => table,
    }
}

/// Whether the index leaves out rows that its predicate is not true of. One that is not found counts as such.
pub fn is_partial_index(index: Oid) -> bool {
    // SAFETY: pg_index's cache by the index; the entry is released when it was read.
    unsafe {
        let key = pg_sys::Datum::from(index);
        let row = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::INDEXRELID as i32, key);
        if row.is_null() {
            return true;
        }
        let is_whole = pg_sys::heap_attisnull(row, pg_sys::Anum_pg_index_indpred as i32, std::ptr::null_mut());
        pg_sys::ReleaseSysCache(row);
        !is_whole
    }
}

/// The relations of this one's name in the schemas of the search path, itself left out.
pub fn namesakes(relation: Oid) -> Vec<Oid> {
    // SAFETY: the path is a fresh list of oids; the lookups return null or InvalidOid where there is nothing.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        if name.is_null() {
            return Vec::new();
        }
        let path = pg_sys::fetch_search_path(false);
        let same = list::oids(path).map(|schema| pg_sys::get_relname_relid(name, schema));
        same.filter(|&other| other != Oid::INVALID && other != relation).collect()
    }
}

/// Whether the role may create in the relation's schema.
pub fn may_create_beside(role: Oid, relation: Oid) -> bool {
    // SAFETY: a syscache lookup.
    may(role, unsafe { pg_sys::get_rel_namespace(relation) }, pg_sys::ACL_CREATE)
}

/// Whether the role may name what is in schema `tenant`.
pub fn may_use_ours(role: Oid) -> bool {
    // SAFETY: a syscache lookup, of a schema that is there when a function of ours is called.
    may(role, unsafe { pg_sys::get_namespace_oid(c"tenant".as_ptr(), false) }, pg_sys::ACL_USAGE)
}

fn may(role: Oid, schema: Oid, right: u32) -> bool {
    let right = pg_sys::AclMode::from(right);
    // SAFETY: syscache lookups.
    unsafe {
        #[cfg(feature = "pg15")]
        let result = pg_sys::pg_namespace_aclcheck(schema, role, right);
        #[cfg(not(feature = "pg15"))]
        let result = pg_sys::object_aclcheck(pg_sys::NamespaceRelationId, schema, role, right);
        result == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// The column's name, for messages.
pub fn column_name(relation: Oid, attnum: i16) -> String {
    // SAFETY: with missing_ok the function returns null where there is no such column.
    unsafe { text::owned(pg_sys::get_attname(relation, attnum, true)) }
}

/// The column with this name, if the relation has one.
pub fn column(relation: Oid, name: &str) -> Option<i16> {
    // SAFETY: ctext gives a NUL-terminated copy; the lookup returns 0 where there is no such column.
    let attnum = unsafe { pg_sys::get_attnum(relation, text::ctext(name).as_ptr()) };
    (attnum > 0).then_some(attnum)
}

/// Whether this session has locked the relation so that others cannot write it.
pub fn is_locked_for_others(relation: Oid) -> bool {
    // SAFETY: a tag of a relation of this database, as SET_LOCKTAG_RELATION fills it; the lookup is in local memory.
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: pg_sys::MyDatabaseId.into(),
            locktag_field2: relation.into(),
            locktag_field3: 0,
            locktag_field4: 0,
            locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
            locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
        };
        (pg_sys::ShareUpdateExclusiveLock..=pg_sys::AccessExclusiveLock).any(|mode| held(&tag, mode as i32))
    }
}

/// # Safety
/// In a transaction.
#[cfg(any(feature = "pg15", feature = "pg16"))]
unsafe fn held(tag: &pg_sys::LOCKTAG, mode: i32) -> bool {
    // SAFETY: the caller's tag is filled.
    unsafe { pg_sys::LockHeldByMe(tag, mode) }
}

/// # Safety
/// In a transaction.
#[cfg(not(any(feature = "pg15", feature = "pg16")))]
unsafe fn held(tag: &pg_sys::LOCKTAG, mode: i32) -> bool {
    // SAFETY: the caller's tag is filled.
    unsafe { pg_sys::LockHeldByMe(tag, mode, false) }
}
