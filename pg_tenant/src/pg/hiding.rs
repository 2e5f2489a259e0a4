//! Catalogs that have rows which not everybody may see: before a query is planned, each scan of such a catalog gets a
//! condition, as row-level security would add one. The condition is in every plan, with or without a tenant, and
//! decides at run time.

use crate::pg::list::nodes;
use crate::pg::oids;
use crate::pg::{catalog, query};
use pgrx::pg_sys::{self, AttrNumber, Datum, Oid, Query, RTEKind, RangeTblEntry};

pub const STATISTIC: Oid = oids::StatisticRelationId;
pub const STATISTIC_EXT_DATA: Oid = oids::StatisticExtDataRelationId;
pub const DB_ROLE_SETTING: Oid = oids::DbRoleSettingRelationId;
pub const LARGEOBJECT_METADATA: Oid = oids::LargeObjectMetadataRelationId;
/// Each catalog, and the column that says to which object the row belongs.
const KEYED: [(Oid, AttrNumber); 4] =
    [(STATISTIC, 1), (STATISTIC_EXT_DATA, 1), (DB_ROLE_SETTING, 2), (LARGEOBJECT_METADATA, 2)];

const STATISTIC_EXT: Oid = oids::StatisticExtRelationId;
const STATISTIC_EXT_BY_OID: Oid = oids::StatisticExtOidIndexId;
const OID: AttrNumber = 1;
const STXRELID: AttrNumber = 2;

/// The table that these extended statistics are about.
pub fn statistics_table(statistics: Oid) -> Option<Oid> {
    let mut table = None;
    catalog::scan(STATISTIC_EXT, STATISTIC_EXT_BY_OID, &[(OID, statistics)], |row| table = Some(row.oid(STXRELID)));
    table
}

/// Puts the condition `asks(catalog, key)` on every scan of these catalogs anywhere in the query. `asks` is looked up
/// when there is such a scan; if the database does not have it, nothing is hidden.
///
/// # Safety
/// `query` is rewritten, not planned yet, and the planner's to change. Nothing to drop in the caller's frame.
pub unsafe fn hide(query: *mut Query, asks: fn() -> Option<Oid>) {
    let mut hide_in = |query: *mut Query| {
        // SAFETY: casts follow tags. A condition is built of fresh nodes.
        unsafe {
            for (at, entry) in nodes((*query).rtable).enumerate() {
                let entry = entry.cast::<RangeTblEntry>();
                if (*entry).rtekind == RTEKind::RTE_RELATION
                    && let Some(&(catalog, key)) = KEYED.iter().find(|(catalog, _)| *catalog == (*entry).relid)
                    && (*query).resultRelation != at as i32 + 1
                    && let Some(function) = asks()
                {
                    let condition = ask(function, catalog, at + 1, key);
                    (*entry).securityQuals = pg_sys::lcons(condition.cast(), (*entry).securityQuals);
                }
            }
        }
    };
    // SAFETY: the caller's promise.
    unsafe { query::each(query, &mut hide_in) }
}

/// # Safety
/// In a memory context that lives as long as the query.
unsafe fn ask(function: Oid, catalog: Oid, entry: usize, key: AttrNumber) -> *mut pg_sys::FuncExpr {
    // SAFETY: nodes made by PostgreSQL's own makers.
    unsafe {
        let catalog = Datum::from(catalog);
        let which = pg_sys::makeConst(pg_sys::OIDOID, -1, Oid::INVALID, size_of::<Oid>() as i32, catalog, false, true);
        let whose = pg_sys::makeVar(entry as _, key, pg_sys::OIDOID, -1, Oid::INVALID, 0);
        let arguments = pg_sys::lappend(pg_sys::lappend(std::ptr::null_mut(), which.cast()), whose.cast());
        let form = pg_sys::CoercionForm::COERCE_EXPLICIT_CALL;
        pg_sys::makeFuncExpr(function, pg_sys::BOOLOID, arguments, Oid::INVALID, Oid::INVALID, form).cast()
    }
}
