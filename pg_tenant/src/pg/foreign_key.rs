//! Foreign keys, from `pg_constraint`.

use crate::pg::catalog::{self, Row};
use crate::pg::oids;
use pgrx::pg_sys::{self, AttrNumber, Oid};

/// The catalog `pg_constraint`.
pub const CONSTRAINT: Oid = oids::ConstraintRelationId;
const CONSTRAINT_BY_OID: Oid = oids::ConstraintOidIndexId;
const OID: AttrNumber = 1;
/// The column that names the table which has the constraint.
pub const CONRELID: AttrNumber = CONRELID_CONFRELID_CONKEY[0];
const CONTYPE: AttrNumber = 4;
// 18 has put conenforced and conperiod before them.
#[cfg(not(feature = "pg18"))]
const CONRELID_CONFRELID_CONKEY: [AttrNumber; 3] = [8, 12, 19];
#[cfg(feature = "pg18")]
const CONRELID_CONFRELID_CONKEY: [AttrNumber; 3] = [9, 13, 21];

/// A foreign key.
pub struct ForeignKey {
    /// The table that has it.
    pub from: Oid,
    /// The table that it refers to.
    pub to: Oid,
    /// It is a partition's share of a key of the table above.
    pub inherited: bool,
    /// The types of its columns.
    pub types: Vec<Oid>,
    /// The columns that it refers to.
    pub refers_to: Vec<AttrNumber>,
    /// Whether it changes its own row when those change.
    pub follows_updates: bool,
    /// The columns that it sets to null or to their default when the row it refers to goes or changes.
    pub sets: Vec<AttrNumber>,
}

/// The constraint, if it is a foreign key; also when it was made a moment ago.
pub fn read(constraint: Oid) -> Option<ForeignKey> {
    let mut found = None;
    catalog::scan_now(CONSTRAINT, CONSTRAINT_BY_OID, &[(OID, constraint)], |row| found = foreign_key(row));
    found
}

/// Whether the constraint is a CHECK; also when it was made a moment ago.
pub fn is_check(constraint: Oid) -> bool {
    let mut found = false;
    catalog::scan_now(CONSTRAINT, CONSTRAINT_BY_OID, &[(OID, constraint)], |row| {
        found = row.get(CONTYPE).is_some_and(|kind| kind.value() as u8 == b'c');
    });
    found
}

fn foreign_key(row: Row) -> Option<ForeignKey> {
    let [conrelid, confrelid, conkey] = CONRELID_CONFRELID_CONKEY;
    if row.get(CONTYPE)?.value() as u8 != b'f' {
        return None;
    }
    let from = row.oid(conrelid);
    let (key, refers_to) = (columns(row, conkey)?, columns(row, conkey + 1)?);
    let sets_them = |action: AttrNumber| row.get(action).is_some_and(|it| matches!(it.value() as u8, b'n' | b'd'));
    let sets = match (sets_them(confrelid + 1), sets_them(confrelid + 2)) {
        (true, _) => key.clone(),
        // confdelsetcols; null where it is all of them.
        (_, true) => columns(row, conkey + 5).filter(|some| !some.is_empty()).unwrap_or_else(|| key.clone()),
        _ => Vec::new(),
    };
    // SAFETY: a syscache lookup.
    let types = key.into_iter().map(|column| unsafe { pg_sys::get_atttype(from, column) }).collect();
    // confupdtype: cascade, set null, set default.
    let follows_updates = matches!(row.get(confrelid + 1)?.value() as u8, b'c' | b'n' | b'd');
    let inherited = row.oid(confrelid - 1) != Oid::INVALID; // conparentid
    Some(ForeignKey { from, to: row.oid(confrelid), inherited, types, refers_to, follows_updates, sets })
}

fn columns(row: Row, of: AttrNumber) -> Option<Vec<AttrNumber>> {
    let array = row.get(of)?;
    // SAFETY: conkey and confkey are int2[] of one dimension without nulls, so their data begins where the header ends.
    unsafe {
        let array = pg_sys::pg_detoast_datum(array.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let dims = array.add(1).cast::<i32>();
        Some(std::slice::from_raw_parts(dims.add(2).cast::<i16>(), *dims as usize).to_vec())
    }
}
