//! Types, and the tables whose columns hold values of one.

use crate::pg::oids;
use crate::pg::{catalog, depend, relation};
use pgrx::pg_sys::{self, Oid};

/// The catalog `pg_type`.
const TYPE: Oid = oids::TypeRelationId;

/// The tables with a column of this type, or of one that is made of it: a domain, an array, a range, a row.
pub fn tables_with(changed: Oid) -> Vec<Oid> {
    let (mut types, mut tables) = (vec![changed], Vec::new());
    let mut at = 0;
    while let Some(&of) = types.get(at) {
        at += 1;
        let mut users = Vec::new();
        catalog::scan(
            depend::CATALOG,
            depend::BY_REFERENCED,
            &[(depend::REFCLASSID, TYPE), (depend::REFOBJID, of)],
            |row| {
                users.push((row.oid(depend::CLASSID), row.oid(depend::OBJID)));
            },
        );
        for (catalog, user) in users {
            let made_of_it = match catalog {
                TYPE => user,
                pg_sys::RelationRelationId => {
                    if relation::class(user).is_some_and(|class| class.is_table()) && !tables.contains(&user) {
                        tables.push(user);
                    }
                    // SAFETY: a lookup that gives InvalidOid where there is no such relation.
                    unsafe { pg_sys::get_rel_type_id(user) }
                }
                _ => Oid::INVALID,
            };
            if made_of_it != Oid::INVALID && !types.contains(&made_of_it) {
                types.push(made_of_it);
            }
        }
    }
    tables
}
