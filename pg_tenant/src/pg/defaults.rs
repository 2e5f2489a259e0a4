//! Defaults of columns, as the catalog knows them: which functions they call.

use crate::pg::oids;
use crate::pg::{catalog, depend, own_function, proc};
use pgrx::pg_sys::{self, AttrNumber, Oid};

/// The catalog `pg_attrdef`.
const DEFAULTS: Oid = oids::AttrDefaultRelationId;
const DEFAULTS_BY_TABLE: Oid = oids::AttrDefaultIndexId;
const OID: AttrNumber = 1;
const ADRELID: AttrNumber = 2;

/// Whether a column of the table has a default that reads the current tenant: what `protect` gives it, and what a copy
/// or a dump of the table has as well.
pub fn read_tenant(table: Oid) -> bool {
    let mut defaults = Vec::new();
    catalog::scan(DEFAULTS, DEFAULTS_BY_TABLE, &[(ADRELID, table)], |row| defaults.push(row.oid(OID)));
    defaults.into_iter().any(calls_reader)
}

fn calls_reader(default: Oid) -> bool {
    let mut called = Vec::new();
    let keys = [(depend::CLASSID, DEFAULTS), (depend::OBJID, default)];
    catalog::scan(depend::CATALOG, depend::BY_DEPENDER, &keys, |row| {
        if row.oid(depend::REFCLASSID) == pg_sys::ProcedureRelationId {
            called.push(row.oid(depend::REFOBJID));
        }
    });
    called.into_iter().any(|function| proc::symbol(function).is_some_and(|symbol| own_function::is_reader(&symbol)))
}
