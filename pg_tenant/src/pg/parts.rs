//! What a table has: columns, indexes, constraints, defaults, triggers, rules.

use crate::pg::catalog;
use crate::pg::foreign_key;
use pgrx::pg_sys::{self, AttrNumber, Oid};

const OID: AttrNumber = 1;
/// The catalogs of parts, their index by oid, and the column that names the table.
const CATALOGS: [(Oid, Oid, AttrNumber); 4] = [
    (foreign_key::CONSTRAINT, Oid::from_u32(2667), foreign_key::CONRELID),
    (Oid::from_u32(2604), Oid::from_u32(2657), 2), // pg_attrdef
    (Oid::from_u32(2620), Oid::from_u32(2702), 2), // pg_trigger
    (Oid::from_u32(2618), Oid::from_u32(2692), 3), // pg_rewrite
];

/// The table that this object is, or is a part of.
pub fn table_of(class: Oid, object: Oid) -> Option<Oid> {
    if class == pg_sys::RelationRelationId {
        // SAFETY: lookups with missing_ok.
        let index_of = unsafe { pg_sys::IndexGetRelation(object, true) };
        return Some(if index_of == Oid::INVALID { object } else { index_of });
    }
    let &(catalog, by_oid, column) = CATALOGS.iter().find(|(catalog, ..)| *catalog == class)?;
    let mut found = None;
    catalog::scan_now(catalog, by_oid, &[(OID, object)], |row| found = Some(row.oid(column)));
    found
}
