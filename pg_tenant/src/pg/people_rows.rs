//! Reading `tenant.members`, `tenant.roles` and `tenant.permissions` without SQL, as [`crate::pg::registry_row`] reads
//! the registry. The columns' numbers are those of `sql/schema/lives/people/`.

use crate::pg::{keyed_row, registry_row, text};
use pgrx::pg_sys::{self, AttrNumber, Datum, HeapTuple, Oid, TupleDesc};

/// In `tenant.members`.
pub const TENANT: AttrNumber = 1;
const MEMBER_ROLE: AttrNumber = 3;
const STATUS: AttrNumber = 4;
/// In `tenant.roles`.
const ROLE: AttrNumber = 1;
const RANK: AttrNumber = 2;
const PERMISSIONS: AttrNumber = 3;
/// In `tenant.permissions`.
const PERMISSION: AttrNumber = 1;
const NUMBER: AttrNumber = 2;

/// A member as the table has it.
pub struct MemberRow {
    pub role: String,
    pub active: bool,
}

/// A role as the table has it.
pub struct RoleRow {
    pub role: String,
    pub rank: i32,
    pub permissions: Vec<String>,
}

/// The tables of members, of roles and of permissions, if the schema has them.
pub fn tables() -> [Option<Oid>; 3] {
    [c"members", c"roles", c"permissions"].map(registry_row::relation)
}

/// The member's row as last committed, or none.
pub fn member(tenant: &str, user: &str) -> Option<MemberRow> {
    let [table, ..] = tables();
    keyed_row::with_key(table?, [tenant, user], |tuple, desc| MemberRow {
        role: text(tuple, desc, MEMBER_ROLE),
        active: text(tuple, desc, STATUS) == "active",
    })
}

/// Every role, as last committed.
pub fn roles() -> Vec<RoleRow> {
    let [_, table, _] = tables();
    rows(table, |tuple, desc| RoleRow {
        role: text(tuple, desc, ROLE),
        rank: column(tuple, desc, RANK).map_or(0, |rank| rank.value() as i32),
        permissions: column(tuple, desc, PERMISSIONS).map(texts).unwrap_or_default(),
    })
}

/// Every permission and its number, as last committed.
pub fn permissions() -> Vec<(String, i16)> {
    let [_, _, table] = tables();
    rows(table, |tuple, desc| {
        (text(tuple, desc, PERMISSION), column(tuple, desc, NUMBER).map_or(-1, |number| number.value() as i16))
    })
}

/// All rows of a small table; in a parallel query, which can take no other snapshot, those that the query sees.
fn rows<T>(table: Option<Oid>, read: impl Fn(HeapTuple, TupleDesc) -> T) -> Vec<T> {
    let mut found = Vec::new();
    let Some(table) = table else { return found };
    // SAFETY: open/close, register/unregister and begin/endscan are paired; on an error PostgreSQL's resource owner
    // releases them. Without an index the scan is one of the whole table.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock as i32);
        let snapshot =
            if pg_sys::IsInParallelMode() { pg_sys::GetActiveSnapshot() } else { pg_sys::GetLatestSnapshot() };
        let snapshot = pg_sys::RegisterSnapshot(snapshot);
        let scan = pg_sys::systable_beginscan(relation, Oid::INVALID, false, snapshot, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            found.push(read(tuple, (*relation).rd_att));
        }
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
    }
    found
}

fn column(tuple: HeapTuple, desc: TupleDesc, column: AttrNumber) -> Option<Datum> {
    let mut isnull = false;
    // SAFETY: a tuple with its descriptor, and one of the table's columns.
    let datum = unsafe { pg_sys::heap_getattr(tuple, column.into(), desc, &mut isnull) };
    (!isnull).then_some(datum)
}

fn text(tuple: HeapTuple, desc: TupleDesc, number: AttrNumber) -> String {
    // SAFETY: the caller's column is a text.
    column(tuple, desc, number)
        .map_or_else(String::new, |datum| unsafe { text::owned(pg_sys::text_to_cstring(datum.cast_mut_ptr())) })
}

/// The elements of a `text[]`, without nulls.
fn texts(array: Datum) -> Vec<String> {
    // SAFETY: a text[]; its elements are palloc'ed copies or parts of it.
    unsafe {
        let array = pg_sys::pg_detoast_datum(array.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let (mut elements, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        let align = pg_sys::TYPALIGN_INT as std::ffi::c_char;
        pg_sys::deconstruct_array(array, pg_sys::TEXTOID, -1, false, align, &mut elements, &mut nulls, &mut count);
        let (elements, nulls) = match usize::try_from(count) {
            Ok(count) if count > 0 => {
                (std::slice::from_raw_parts(elements, count), std::slice::from_raw_parts(nulls, count))
            }
            _ => return Vec::new(),
        };
        let present = elements.iter().zip(nulls).filter(|(_, null)| !**null);
        present.map(|(element, _)| text::owned(pg_sys::text_to_cstring(element.cast_mut_ptr()))).collect()
    }
}
