//! Triggers, from `pg_trigger` and from the relation cache.

use crate::pg::oids;
use crate::pg::{catalog, proc};
use pgrx::pg_sys::{self, AttrNumber, Oid};

/// The catalog `pg_trigger`.
pub const CATALOG: Oid = oids::TriggerRelationId;
const BY_OID: Oid = oids::TriggerOidIndexId;
const OID: AttrNumber = 1;
const TGFOID: AttrNumber = 5;
const TGISINTERNAL: AttrNumber = 8;

/// The function of a trigger; also when it was made a moment ago.
pub fn function(trigger: Oid) -> Oid {
    let mut found = Oid::INVALID;
    catalog::scan_now(CATALOG, BY_OID, &[(OID, trigger)], |row| found = row.oid(TGFOID));
    found
}

/// Whether the trigger is a foreign key's or another constraint's own; also when it was made a moment ago.
pub fn is_internal(trigger: Oid) -> bool {
    let mut found = false;
    catalog::scan_now(CATALOG, BY_OID, &[(OID, trigger)], |row| {
        found = row.get(TGISINTERNAL).is_some_and(|internal| internal.value() != 0);
    });
    found
}

/// The functions of the relation's triggers, without those of foreign keys.
pub fn functions_on(relation: Oid) -> Vec<Oid> {
    on(relation, |trigger| !trigger.tgisinternal)
}

/// How many of the relation's triggers, enabled in every mode, let no tenant add members.
pub fn refusing_members(relation: Oid) -> usize {
    const ALWAYS: u8 = b'A';
    let functions = on(relation, |trigger| trigger.tgenabled as u8 == ALWAYS);
    functions.into_iter().filter(|&function| proc::is_ours(function, "refuse_member")).count()
}

fn on(relation: Oid, wanted: impl Fn(&pg_sys::Trigger) -> bool) -> Vec<Oid> {
    // SAFETY: the relation cache's entry is held while its triggers are read, and let go of. A statement that is about
    // to write the relation has locked it.
    unsafe {
        let entry = pg_sys::RelationIdGetRelation(relation);
        if entry.is_null() {
            return Vec::new();
        }
        let triggers = (*entry).trigdesc;
        let mut found = Vec::new();
        if !triggers.is_null() {
            let all = std::slice::from_raw_parts((*triggers).triggers, (*triggers).numtriggers as usize);
            found.extend(all.iter().filter(|trigger| wanted(trigger)).map(|trigger| trigger.tgfoid));
        }
        pg_sys::RelationClose(entry);
        found
    }
}
