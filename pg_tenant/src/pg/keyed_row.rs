//! A row by its primary key, as last committed and without SQL: one index scan under the newest snapshot.

use crate::pg::text;
use pgrx::pg_sys::{self, AttrNumber, Oid};

/// The first column.
const FIRST: AttrNumber = 1;

/// Reads the row with this primary key, of texts that are the table's first columns, as last committed.
pub(super) fn with_key<T, const N: usize>(
    table: Oid,
    key: [&str; N],
    read: impl FnOnce(pg_sys::HeapTuple, pg_sys::TupleDesc) -> T,
) -> Option<T> {
    // SAFETY: copies into the current context; they are texts.
    let key = key.map(|text| unsafe { pg_sys::cstring_to_text(text::ctext(text).as_ptr()) }.into());
    with_values(table, pg_sys::F_TEXTEQ, key, read)
}

/// Reads the row with this primary key, of values that are the table's first columns and that `equal` compares, as last
/// committed.
pub(super) fn with_values<T, const N: usize>(
    table: Oid,
    equal: u32,
    key: [pg_sys::Datum; N],
    read: impl FnOnce(pg_sys::HeapTuple, pg_sys::TupleDesc) -> T,
) -> Option<T> {
    // SAFETY: open/close, register/unregister and begin/endscan are paired; on an error PostgreSQL's resource owner
    // releases them. The key's values live until the scan has ended.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        #[cfg(not(feature = "pg18"))]
        let index = pg_sys::RelationGetPrimaryKeyIndex(relation);
        #[cfg(feature = "pg18")]
        let index = pg_sys::RelationGetPrimaryKeyIndex(relation, false);
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let mut keys: [pg_sys::ScanKeyData; N] = std::array::from_fn(|_| pg_sys::ScanKeyData::default());
        for (column, (place, value)) in (FIRST..).zip(keys.iter_mut().zip(key)) {
            pg_sys::ScanKeyInit(place, column, pg_sys::BTEqualStrategyNumber as u16, Oid::from(equal), value);
        }
        let scan = pg_sys::systable_beginscan(relation, index, true, snapshot, N as i32, keys.as_mut_ptr());
        let tuple = pg_sys::systable_getnext(scan);
        let row = (!tuple.is_null()).then(|| read(tuple, (*relation).rd_att));
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
        row
    }
}
