//! Reading `tenant.shared` without SQL, as the catalog's own tables are read: as last committed.
//!
//! Its first column is the relation, and its primary key: `sql/schema/core/share.sql`.

use crate::pg::catalog;
use pgrx::pg_sys::{self, AttrNumber, Oid};

const RELATION: AttrNumber = 1;

/// Whether somebody has declared that every tenant may see this relation.
pub fn is_there(relation: Oid) -> bool {
    // SAFETY: syscache lookups that return InvalidOid where there is nothing.
    let (table, index) = unsafe {
        let schema = pg_sys::get_namespace_oid(c"tenant".as_ptr(), true);
        (
            pg_sys::get_relname_relid(c"shared".as_ptr(), schema),
            pg_sys::get_relname_relid(c"shared_pkey".as_ptr(), schema),
        )
    };
    let mut found = false;
    if table != Oid::INVALID && index != Oid::INVALID {
        catalog::scan(table, index, &[(RELATION, relation)], |_| found = true);
    }
    found
}
