//! What a table has: columns, indexes, constraints, defaults, triggers, rules, policies, statistics, places in
//! publications.

use crate::pg::oids;
use crate::pg::{catalog, depend, foreign_key};
use pgrx::pg_sys::{self, AttrNumber, Oid};

const OID: AttrNumber = 1;
/// The catalogs of parts, their index by oid, and the column that names the table.
const CATALOGS: [(Oid, Oid, AttrNumber); 7] = [
    (foreign_key::CONSTRAINT, oids::ConstraintOidIndexId, foreign_key::CONRELID),
    (oids::AttrDefaultRelationId, oids::AttrDefaultOidIndexId, 2), // pg_attrdef
    (oids::TriggerRelationId, oids::TriggerOidIndexId, 2),         // pg_trigger
    (oids::RewriteRelationId, oids::RewriteOidIndexId, 3),         // pg_rewrite
    (oids::PolicyRelationId, oids::PolicyOidIndexId, 3),           // pg_policy
    (oids::StatisticExtRelationId, oids::StatisticExtOidIndexId, 2), // pg_statistic_ext
    (oids::PublicationRelRelationId, oids::PublicationRelObjectIndexId, 3), // pg_publication_rel
];

/// The table that this object is, or is a part of.
pub fn table_of(class: Oid, object: Oid) -> Option<Oid> {
    if class == pg_sys::RelationRelationId {
        return Some(holder(object));
    }
    let &(catalog, by_oid, column) = CATALOGS.iter().find(|(catalog, ..)| *catalog == class)?;
    let mut found = None;
    catalog::scan_now(catalog, by_oid, &[(OID, object)], |row| found = Some(row.oid(column)));
    found
}

/// The table that an index, a TOAST table or a column's sequence belongs to; any other relation is its own.
pub fn holder(relation: Oid) -> Oid {
    // SAFETY: lookups that give InvalidOid or zero where there is nothing.
    let (index_of, kind) =
        unsafe { (pg_sys::IndexGetRelation(relation, true), pg_sys::get_rel_relkind(relation) as u8) };
    match kind {
        // An index of a TOAST table as well.
        _ if index_of != Oid::INVALID => holder(index_of),
        pg_sys::RELKIND_TOASTVALUE | pg_sys::RELKIND_SEQUENCE => belongs_to(relation).unwrap_or(relation),
        _ => relation,
    }
}

/// The relation that this one goes with: by an automatic or an internal dependency.
fn belongs_to(relation: Oid) -> Option<Oid> {
    const AUTO_OR_INTERNAL: [u8; 2] = [b'a', b'i'];
    let mut found = None;
    let keys = [(depend::CLASSID, pg_sys::RelationRelationId), (depend::OBJID, relation)];
    catalog::scan(depend::CATALOG, depend::BY_DEPENDER, &keys, |row| {
        let kind = row.get(depend::DEPTYPE).map_or(0, |kind| kind.value() as u8);
        if row.oid(depend::REFCLASSID) == pg_sys::RelationRelationId && AUTO_OR_INTERNAL.contains(&kind) {
            found = Some(row.oid(depend::REFOBJID));
        }
    });
    found
}

/// The rules of a relation; they may have been made a moment ago.
pub fn rules_of(relation: Oid) -> Vec<Oid> {
    let mut found = Vec::new();
    catalog::scan_now(oids::RewriteRelationId, oids::RewriteRelRulenameIndexId, &[(3, relation)], |row| {
        found.push(row.oid(OID))
    });
    found
}
