//! Views, as the catalog knows them: which relations stand under one.

use crate::pg::catalog;
use crate::pg::oids;
use crate::pg::policy;
use pgrx::pg_sys::{AttrNumber, Oid};

const REWRITE: Oid = oids::RewriteRelationId;
const REWRITE_BY_RELATION: Oid = oids::RewriteRelRulenameIndexId;
const REWRITE_OID: AttrNumber = 1;
const EV_CLASS: AttrNumber = 3;
const CLASS: Oid = oids::RelationRelationId;
const DEPEND: Oid = oids::DependRelationId;
const DEPEND_BY_DEPENDER: Oid = oids::DependDependerIndexId;
const CLASSID: AttrNumber = 1;
const OBJID: AttrNumber = 2;
const REFCLASSID: AttrNumber = 4;
const REFOBJID: AttrNumber = 5;

/// Every relation that this view reads, through other views too. What a function in it reads is not known.
pub fn relations_under(view: Oid) -> Vec<Oid> {
    let mut found = vec![view];
    let mut at = 0;
    while let Some(&relation) = found.get(at) {
        at += 1;
        // A protected table ends the way: what its rules do is its own affair.
        if policy::fence(relation).is_some() {
            continue;
        }
        for below in read_by(relation) {
            if !found.contains(&below) {
                found.push(below);
            }
        }
    }
    found.remove(0);
    found
}

fn read_by(relation: Oid) -> Vec<Oid> {
    let (mut rules, mut found) = (Vec::new(), Vec::new());
    catalog::scan(REWRITE, REWRITE_BY_RELATION, &[(EV_CLASS, relation)], |row| rules.push(row.oid(REWRITE_OID)));
    for rule in rules {
        catalog::scan(DEPEND, DEPEND_BY_DEPENDER, &[(CLASSID, REWRITE), (OBJID, rule)], |row| {
            if row.oid(REFCLASSID) == CLASS {
                found.push(row.oid(REFOBJID));
            }
        });
    }
    found
}
