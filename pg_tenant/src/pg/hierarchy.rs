//! Partitions and inheritance: who stands above and below a table.

use crate::pg::oids;
use pgrx::pg_sys::{AttrNumber, Oid};

const INHERITS: Oid = oids::InheritsRelationId;
const INHERITS_BY_CHILD: Oid = oids::InheritsRelidSeqnoIndexId;
const INHERITS_BY_PARENT: Oid = oids::InheritsParentIndexId;
const INHRELID: AttrNumber = 1;
const INHPARENT: AttrNumber = 2;

/// Every table above this one, nearest first.
pub fn ancestors(relation: Oid) -> Vec<Oid> {
    walk(relation, INHERITS_BY_CHILD, INHRELID, INHPARENT)
}

/// Every table below this one.
pub fn descendants(relation: Oid) -> Vec<Oid> {
    walk(relation, INHERITS_BY_PARENT, INHPARENT, INHRELID)
}

fn walk(start: Oid, index: Oid, key: AttrNumber, next: AttrNumber) -> Vec<Oid> {
    let mut found = vec![start];
    let mut at = 0;
    while let Some(&relation) = found.get(at) {
        for oid in step(relation, index, key, next) {
            if !found.contains(&oid) {
                found.push(oid);
            }
        }
        at += 1;
    }
    found.remove(0);
    found
}

fn step(relation: Oid, index: Oid, key: AttrNumber, next: AttrNumber) -> Vec<Oid> {
    let mut found = Vec::new();
    super::catalog::scan(INHERITS, index, &[(key, relation)], |row| found.push(row.oid(next)));
    found
}
