//! Scans of the catalog by an index on oid columns.

use crate::pg::text;
use pgrx::pg_sys::{self, AttrNumber, Datum, Oid};

/// A row of a catalog, valid while the scan stands on it.
#[derive(Clone, Copy)]
pub struct Row {
    tuple: pg_sys::HeapTuple,
    desc: pg_sys::TupleDesc,
}

impl Row {
    /// The column's value, or none where it is null.
    pub fn get(self, column: AttrNumber) -> Option<Datum> {
        let mut isnull = false;
        // SAFETY: tuple and descriptor belong together; the column is one of the catalog's.
        let datum = unsafe { pg_sys::heap_getattr(self.tuple, column.into(), self.desc, &mut isnull) };
        (!isnull).then_some(datum)
    }

    /// A name.
    pub fn name(self, column: AttrNumber) -> Option<Name> {
        // SAFETY: the caller's column is of type name, which is never null.
        self.get(column).map(|datum| unsafe { Name(datum.cast_mut_ptr::<pg_sys::NameData>().read()) })
    }

    /// An oid column that is never null.
    pub fn oid(self, column: AttrNumber) -> Oid {
        self.get(column).map_or(Oid::INVALID, |datum| Oid::from(datum.value() as u32))
    }
}

/// A name of the catalog, with the zeros that follow it there.
pub struct Name(pg_sys::NameData);

impl Name {
    /// As SQL writes it.
    pub fn quoted(&self) -> String {
        // SAFETY: a name ends with a zero; quote_identifier gives it back or a palloc'ed copy.
        unsafe { text::owned(pg_sys::quote_identifier(self.0.data.as_ptr())) }
    }
}

/// Calls `each` with every row of a small table that has no index.
pub fn scan_all(table: Oid, each: impl FnMut(Row)) {
    scan_with(std::ptr::null_mut(), table, Oid::INVALID, &mut [], each);
}

/// Scans a catalog by an index on oid columns, calling `each` with every row whose columns have these values.
pub fn scan(catalog: Oid, index: Oid, keys: &[(AttrNumber, Oid)], each: impl FnMut(Row)) {
    scan_under(std::ptr::null_mut(), catalog, index, keys, each);
}

/// As [`scan`]; sees what the command that is running has written, too.
pub fn scan_now(catalog: Oid, index: Oid, keys: &[(AttrNumber, Oid)], each: impl FnMut(Row)) {
    scan_under(&raw mut pg_sys::SnapshotSelfData, catalog, index, keys, each);
}

/// As [`scan`], by an index whose first column is a text of the database's own collation.
pub fn scan_text(catalog: Oid, index: Oid, key: (AttrNumber, &str), each: impl FnMut(Row)) {
    let (column, value) = key;
    let mut scan_key = pg_sys::ScanKeyData::default();
    // SAFETY: the text lives in the current context until the scan has ended.
    unsafe {
        let value = pg_sys::cstring_to_text_with_len(value.as_ptr().cast(), value.len() as i32);
        pg_sys::ScanKeyEntryInitialize(
            &mut scan_key,
            0,
            column,
            pg_sys::BTEqualStrategyNumber as u16,
            Oid::INVALID,
            pg_sys::DEFAULT_COLLATION_OID,
            Oid::from(pg_sys::F_TEXTEQ),
            value.into(),
        );
    }
    scan_with(std::ptr::null_mut(), catalog, index, &mut [scan_key], each);
}

/// As [`scan_now`], by an index that begins with a name.
pub fn scan_named(catalog: Oid, index: Oid, column: AttrNumber, name: &Name, each: impl FnMut(Row)) {
    let mut scan_key = pg_sys::ScanKeyData::default();
    let equal = pg_sys::BTEqualStrategyNumber as u16;
    // SAFETY: the key is ours, and the name stays where it is until the scan has ended.
    unsafe {
        let value = Datum::from(&raw const name.0);
        pg_sys::ScanKeyInit(&mut scan_key, column, equal, Oid::from(pg_sys::F_NAMEEQ), value);
    }
    scan_with(&raw mut pg_sys::SnapshotSelfData, catalog, index, &mut [scan_key], each);
}

fn scan_under(snapshot: pg_sys::Snapshot, catalog: Oid, index: Oid, keys: &[(AttrNumber, Oid)], each: impl FnMut(Row)) {
    let mut scan_keys = [pg_sys::ScanKeyData::default(); 2];
    for (scan_key, &(column, value)) in scan_keys.iter_mut().zip(keys) {
        let equal = pg_sys::BTEqualStrategyNumber as u16;
        // SAFETY: the key is ours, and oids are passed by value.
        unsafe { pg_sys::ScanKeyInit(scan_key, column, equal, Oid::from(pg_sys::F_OIDEQ), value.into()) };
    }
    scan_with(snapshot, catalog, index, &mut scan_keys[..keys.len()], each);
}

fn scan_with(
    snapshot: pg_sys::Snapshot,
    catalog: Oid,
    index: Oid,
    keys: &mut [pg_sys::ScanKeyData],
    mut each: impl FnMut(Row),
) {
    // SAFETY: table_open/close and begin/endscan are paired; an error in between is PostgreSQL's and its resource
    // owner releases both. Tuples are valid until the next systable_getnext, and `each` keeps none.
    unsafe {
        let relation = pg_sys::table_open(catalog, pg_sys::AccessShareLock as i32);
        let (count, first) = (keys.len() as i32, keys.as_mut_ptr());
        let scan = pg_sys::systable_beginscan(relation, index, index != Oid::INVALID, snapshot, count, first);
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            each(Row { tuple, desc: (*relation).rd_att });
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
    }
}
