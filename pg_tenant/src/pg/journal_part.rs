//! The parts of `tenant.journal`: which one takes a line of that time, without a statement.

use crate::pg::backend_cell::BackendCell;
use crate::pg::{catalog, extension, function, function::Returned};
use pgrx::pg_sys::{self, Oid, Relation, TimestampTz};

static ORIGIN: BackendCell<Option<i64>> = BackendCell::new(None);

/// Which database this is: `tenant_internal.journal_origin`, read once. (An extension that is dropped and made again
/// gets another; who has read the former one writes lines of its own origin, each in the order of one server's
/// transactions.)
pub fn origin() -> i64 {
    if let Some(origin) = ORIGIN.get() {
        return origin;
    }
    // SAFETY: a syscache lookup that returns InvalidOid where there is nothing.
    let table = unsafe { pg_sys::get_relname_relid(c"journal_origin".as_ptr(), extension::internal_schema()) };
    if table != Oid::INVALID {
        catalog::scan_all(table, |row| ORIGIN.set(row.get(1).map(|origin| origin.value() as i64)));
    }
    ORIGIN.get().unwrap_or_default()
}

/// `tenant_internal.journal_origin() → bigint`
fn journal_origin(_: function::Args) -> crate::pg::report::Outcome<Returned> {
    Ok(Returned::bigint(origin()))
}

crate::sql_function!(pg_tenant_journal_origin, pg_finfo_pg_tenant_journal_origin, journal_origin);

/// `tenant_internal.journal_lines`: all but what is said of protection, by month.
pub fn lines() -> Oid {
    // SAFETY: a syscache lookup that returns InvalidOid where there is nothing.
    unsafe { pg_sys::get_relname_relid(c"journal_lines".as_ptr(), extension::internal_schema()) }
}

/// `tenant_internal.journal_protection`, which is kept for good, and its index by object; in 0.1.0's schema the journal
/// itself. InvalidOid where there is nothing.
pub fn on_protection() -> (Oid, Oid) {
    // SAFETY: as above.
    unsafe {
        let find = |name: &std::ffi::CStr, schema| pg_sys::get_relname_relid(name.as_ptr(), schema);
        let schema = extension::internal_schema();
        let part = find(c"journal_protection", schema);
        if part != Oid::INVALID {
            return (part, find(c"journal_protection_object_action_idx", schema));
        }
        let schema = pg_sys::get_namespace_oid(c"tenant".as_ptr(), true);
        (find(c"journal", schema), find(c"journal_object_action_idx", schema))
    }
}

/// The part that takes a line of this time, of those under `lines`; none where something else than the parts' bounds
/// has a say in what becomes of it. Locks both tables as an INSERT does.
///
/// # Safety
/// Both are tables of the extension.
pub unsafe fn of(journal: Oid, lines: Oid, at: TimestampTz) -> Option<Oid> {
    // SAFETY: each table is opened and closed in a pair; the descriptor is the open table's.
    unsafe {
        let root = pg_sys::table_open(journal, pg_sys::RowExclusiveLock as i32);
        let by_month = pg_sys::table_open(lines, pg_sys::RowExclusiveLock as i32);
        let is_usual = [root, by_month].into_iter().all(|table| {
            (*(*table).rd_rel).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE && leaves_inserts_alone(table)
        });
        let part = if is_usual { part_of(by_month, at) } else { None };
        pg_sys::table_close(by_month, pg_sys::NoLock as i32);
        pg_sys::table_close(root, pg_sys::NoLock as i32);
        part
    }
}

/// # Safety
/// `table` is open, and partitioned by ranges of one timestamptz.
unsafe fn part_of(table: Relation, at: TimestampTz) -> Option<Oid> {
    // SAFETY: the bounds are sorted, each of one value, which is finite or not as its kind says; there is one index
    // more than there are bounds, and each is that of a part, or -1.
    unsafe {
        let parts = pg_sys::RelationGetPartitionDesc(table, false).as_ref()?;
        let bounds = parts.boundinfo.as_ref()?;
        let begun = (0..bounds.ndatums as usize)
            .take_while(|&nth| match **bounds.kind.add(nth) {
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => true,
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MAXVALUE => false,
                _ => (**bounds.datums.add(nth)).value() as TimestampTz <= at,
            })
            .count();
        let of_range = *bounds.indexes.add(begun);
        let index = if of_range < 0 { bounds.default_index } else { of_range };
        usize::try_from(index).ok().map(|index| *parts.oids.add(index))
    }
}

/// Whether the table has no rule, policy or trigger that sees an INSERT.
///
/// # Safety
/// `table` is open.
pub unsafe fn leaves_inserts_alone(table: Relation) -> bool {
    // SAFETY: the caller has opened it; its triggers are null or valid.
    unsafe {
        let form = &*(*table).rd_rel;
        let triggers = (*table).trigdesc.as_ref();
        !form.relhasrules
            && !form.relrowsecurity
            && triggers.is_none_or(|they| {
                !they.trig_insert_before_row
                    && !they.trig_insert_after_row
                    && !they.trig_insert_instead_row
                    && !they.trig_insert_before_statement
                    && !they.trig_insert_after_statement
                    && !they.trig_insert_new_table
            })
    }
}
