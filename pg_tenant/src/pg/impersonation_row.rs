//! Reading `tenant.impersonations` without SQL, as [`crate::pg::registry_row`] reads the registry. The columns' numbers
//! are those of `sql/schema/lives/impersonation/`.

use crate::pg::{keyed_row, registry_row, text};
use pgrx::pg_sys::{self, AttrNumber, Datum, HeapTuple, Oid, TupleDesc};

pub const TENANT: AttrNumber = 2;
const AS_USER: AttrNumber = 3;
const LOGIN: AttrNumber = 4;
const IMPERSONATOR: AttrNumber = 5;
const WRITE: AttrNumber = 7;
const APPROVAL_REQUIRED: AttrNumber = 10;
const APPROVED_AT: AttrNumber = 11;
const OPEN_FROM: AttrNumber = 13;
const EXPIRES_AT: AttrNumber = 14;
const ENDED_AT: AttrNumber = 15;

/// The id of a grant.
pub type GrantId = [u8; 16];

/// A grant as the table has it. Times in microseconds, as PostgreSQL counts them.
pub struct ImpersonationRow {
    pub tenant: String,
    pub as_user: Option<String>,
    /// The login that asked.
    pub login: String,
    pub impersonator: String,
    pub write: bool,
    pub approval_required: bool,
    pub approved: bool,
    /// None until it was approved, where that is required.
    pub open: Option<Open>,
    pub ended: bool,
}

/// When a grant may be used.
pub struct Open {
    pub from: i64,
    pub until: i64,
}

/// The table, if the schema has it.
pub fn table() -> Option<Oid> {
    registry_row::relation(c"impersonations")
}

/// The grant's row as last committed, or none.
pub fn read(id: &GrantId) -> Option<ImpersonationRow> {
    // SAFETY: a uuid is sixteen bytes, passed by reference; they live until the scan has ended.
    keyed_row::with_values(table()?, pg_sys::F_UUID_EQ, [Datum::from(id.as_ptr())], |tuple, desc| ImpersonationRow {
        tenant: text(tuple, desc, TENANT).unwrap_or_default(),
        as_user: text(tuple, desc, AS_USER),
        login: text(tuple, desc, LOGIN).unwrap_or_default(),
        impersonator: text(tuple, desc, IMPERSONATOR).unwrap_or_default(),
        write: is_true(tuple, desc, WRITE),
        approval_required: is_true(tuple, desc, APPROVAL_REQUIRED),
        approved: column(tuple, desc, APPROVED_AT).is_some(),
        open: column(tuple, desc, OPEN_FROM)
            .zip(column(tuple, desc, EXPIRES_AT))
            .map(|(from, until)| Open { from: from.value() as i64, until: until.value() as i64 }),
        ended: column(tuple, desc, ENDED_AT).is_some(),
    })
}

fn column(tuple: HeapTuple, desc: TupleDesc, column: AttrNumber) -> Option<Datum> {
    let mut isnull = false;
    // SAFETY: a tuple with its descriptor, and one of the table's columns.
    let datum = unsafe { pg_sys::heap_getattr(tuple, column.into(), desc, &mut isnull) };
    (!isnull).then_some(datum)
}

fn is_true(tuple: HeapTuple, desc: TupleDesc, number: AttrNumber) -> bool {
    column(tuple, desc, number).is_some_and(|datum| datum.value() != 0)
}

fn text(tuple: HeapTuple, desc: TupleDesc, number: AttrNumber) -> Option<String> {
    // SAFETY: the caller's column is a text.
    column(tuple, desc, number).map(|datum| unsafe { text::owned(pg_sys::text_to_cstring(datum.cast_mut_ptr())) })
}
