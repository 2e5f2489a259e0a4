//! Reading `tenant.tenants` without SQL: one index scan under the newest snapshot.
//!
//! Not SPI and not the transaction's snapshot: a REPEATABLE READ transaction would see, and cache, the state of its
//! start. The columns' numbers are those of `sql/schema/core/registry.sql`.

use crate::pg::{extension, text};
use pg_tenant_core::TenantId;
use pgrx::pg_sys::{self, AttrNumber, Oid};

pub const ID: AttrNumber = 1;
const STATUS: AttrNumber = 2;
const STATEMENT_TIMEOUT: AttrNumber = 3;
const LOCK_TIMEOUT: AttrNumber = 4;
const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: AttrNumber = 5;
const WORK_MEM: AttrNumber = 6;
const READ_ONLY: AttrNumber = 7;
pub const SLUG: AttrNumber = 8;

/// A tenant as the registry has it.
pub struct RegistryRow {
    pub status: String,
    pub statement_timeout: Option<i32>,
    pub lock_timeout: Option<i32>,
    pub idle_in_transaction_session_timeout: Option<i32>,
    pub work_mem: Option<i32>,
    pub read_only: bool,
}

/// The registry's table in this database, if the extension is installed.
pub fn table() -> Option<Oid> {
    // SAFETY: syscache lookups that return InvalidOid where there is nothing.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"tenant".as_ptr(), true);
        let table = pg_sys::get_relname_relid(c"tenants".as_ptr(), schema);
        (schema != Oid::INVALID && table != Oid::INVALID).then_some(table)
    }
}

/// The empty table whose invalidation stands for a change of the registry's rows, if the schema has it: 0.1.0's has not.
pub fn mark() -> Option<Oid> {
    // SAFETY: as above.
    unsafe {
        let schema = extension::internal_schema();
        let mark = pg_sys::get_relname_relid(c"registry_epoch".as_ptr(), schema);
        (schema != Oid::INVALID && mark != Oid::INVALID).then_some(mark)
    }
}

/// The tenant's row as last committed, or none.
pub fn read(table: Oid, id: &TenantId) -> Option<RegistryRow> {
    // SAFETY: open/close, register/unregister and begin/endscan are paired; on an error PostgreSQL's resource owner
    // releases them. The key's text lives in the current context until the scan has ended.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        #[cfg(not(feature = "pg18"))]
        let index = pg_sys::RelationGetPrimaryKeyIndex(relation);
        #[cfg(feature = "pg18")]
        let index = pg_sys::RelationGetPrimaryKeyIndex(relation, false);
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let text = id.as_str();
        let key_text = pg_sys::cstring_to_text_with_len(text.as_ptr().cast(), text.len() as i32);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            ID,
            pg_sys::BTEqualStrategyNumber as u16,
            Oid::from(pg_sys::F_TEXTEQ),
            key_text.into(),
        );
        let scan = pg_sys::systable_beginscan(relation, index, true, snapshot, 1, &mut key);
        let tuple = pg_sys::systable_getnext(scan);
        let row = (!tuple.is_null()).then(|| RegistryRow::new(tuple, (*relation).rd_att));
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
        row
    }
}

impl RegistryRow {
    /// # Safety
    /// A tuple of `tenant.tenants` with its descriptor.
    unsafe fn new(tuple: pg_sys::HeapTuple, desc: pg_sys::TupleDesc) -> Self {
        let get = |column: AttrNumber| {
            let mut isnull = false;
            // SAFETY: the caller's promise.
            let datum = unsafe { pg_sys::heap_getattr(tuple, column.into(), desc, &mut isnull) };
            (!isnull).then_some(datum)
        };
        let number = |column| get(column).map(|datum| datum.value() as i32);
        RegistryRow {
            // SAFETY: status is a text, never null.
            status: get(STATUS).map_or_else(String::new, |datum| unsafe {
                text::owned(pg_sys::text_to_cstring(datum.cast_mut_ptr()))
            }),
            statement_timeout: number(STATEMENT_TIMEOUT),
            lock_timeout: number(LOCK_TIMEOUT),
            idle_in_transaction_session_timeout: number(IDLE_IN_TRANSACTION_SESSION_TIMEOUT),
            work_mem: number(WORK_MEM),
            read_only: get(READ_ONLY).is_some_and(|datum| datum.value() != 0),
        }
    }
}
