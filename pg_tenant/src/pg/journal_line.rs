//! Writing to `tenant.journal` that a tenant was created, without a statement: as the catalog's own rows are written. A
//! statement would cost more than the tenant, where many are made with a call for each.
//!
//! Only while the journal is as `sql/schema/core/journal.sql` has it, and the transaction has entered nothing that the
//! line would tell of. Where somebody has given it a trigger, a rule, a check or an index on an expression, the line is
//! written by SQL, in `tenant_internal.journal_created(object, reason)`.

use crate::pg::{boundary, call, function, journal_part, proc, raw, role};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, NullableDatum, Oid};
use std::ffi::CStr;

/// The types of the columns: id, at, action, object, reason, detail, role, session_role, tenant_id, actor,
/// impersonator, request_id, xid8, origin.
const TYPES: [Oid; 14] = [
    pg_sys::INT8OID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::JSONBOID,
    pg_sys::NAMEOID,
    pg_sys::NAMEOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::XID8OID,
    pg_sys::INT8OID,
];

/// A line to be written.
#[derive(Clone, Copy)]
struct Line {
    journal: Oid,
    /// Its lines by month.
    lines: Oid,
    /// Where its ids come from.
    sequence: Oid,
    object: NullableDatum,
    reason: NullableDatum,
    request: NullableDatum,
}

#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tenant_journal_created() -> &'static pg_sys::Pg_finfo_record {
    &function::VERSION_1
}

/// The trigger after a row was inserted into `tenant.tenants`.
///
/// # Safety
/// Called by PostgreSQL's function manager.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn pg_tenant_journal_created(fcinfo: FunctionCallInfo) -> Datum {
    // SAFETY: the frame holds only Copy data. The calls outside of `decide` are bare: errors pass through them as they
    // are.
    unsafe {
        let Some(line) = boundary::decide(|| Line::of(fcinfo)) else { return Datum::null() };
        let is_usual =
            ![line.journal, line.lines, line.sequence].contains(&Oid::INVALID) && !boundary::decide(has_entered);
        let id = if is_usual { raw::nextval_internal(line.sequence, false) } else { 0 };
        if !is_usual || !boundary::decide(|| line.write(id)) {
            let call =
                boundary::decide(|| call::new_call(proc::internal("journal_created"), &[line.object, line.reason]));
            (*(*call).flinfo).fn_addr.map(|body| body(call));
        }
        Datum::null()
    }
}

/// Whether the line would tell of a tenant or an actor.
fn has_entered() -> bool {
    [c"pg_tenant.id", c"pg_tenant.actor", c"pg_tenant.impersonator"].into_iter().any(|name| {
        // SAFETY: missing_ok; the value is null or NUL-terminated.
        unsafe {
            let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
            !value.is_null() && *value != 0
        }
    })
}

impl Line {
    /// Of the row that the trigger is called for; none for `pg_restore`, which brings the journal along.
    ///
    /// # Safety
    /// `fcinfo` is that of the trigger's call.
    unsafe fn of(fcinfo: FunctionCallInfo) -> Option<Line> {
        // SAFETY: the cast follows the check of the context's tag; the tuple is of the trigger's table, whose first
        // column is a text and never null. The rest are syscache lookups, and values of settings.
        unsafe {
            let context = (*fcinfo).context;
            if context.is_null()
                || (*context).type_ != pg_sys::NodeTag::T_TriggerData
                || role::row_security_is_off() && pg_sys::superuser()
            {
                return None;
            }
            let data = &*context.cast::<pg_sys::TriggerData>();
            let mut isnull = false;
            let id = pg_sys::heap_getattr(data.tg_trigtuple, 1, (*data.tg_relation).rd_att, &mut isnull);
            let schema = pg_sys::get_namespace_oid(c"tenant".as_ptr(), true);
            Some(Line {
                journal: pg_sys::get_relname_relid(c"journal".as_ptr(), schema),
                lines: journal_part::lines(),
                sequence: pg_sys::get_relname_relid(c"journal_id_seq".as_ptr(), schema),
                object: NullableDatum { value: id, isnull },
                reason: said(c"tenant.reason"),
                request: said(c"pg_tenant.request_id"),
            })
        }
    }

    /// Writes it; false where the journal is not as we know it.
    fn write(self, id: i64) -> bool {
        // SAFETY: the tables and indexes are opened and closed in pairs; on an error the resource owner closes them.
        // The values are of the columns' types, and live until the tuple is formed of them.
        unsafe {
            let at = pg_sys::GetCurrentTransactionStartTimestamp();
            let Some(part) = journal_part::of(self.journal, self.lines, at) else { return false };
            let part = pg_sys::table_open(part, pg_sys::RowExclusiveLock as i32);
            let indexes = pg_sys::CatalogOpenIndexes(part);
            let is_usual = is_usual(part) && has_usual_indexes(indexes);
            if is_usual {
                let name = |of: Oid| {
                    let name = pg_sys::palloc0(size_of::<pg_sys::NameData>()).cast::<pg_sys::NameData>();
                    pg_sys::namestrcpy(name, pg_sys::GetUserNameFromId(of, false));
                    Datum::from(name)
                };
                let none = Datum::null();
                let mut values = [
                    Datum::from(id),
                    at.into(),
                    pg_sys::cstring_to_text(c"create".as_ptr()).into(),
                    self.object.value,
                    self.reason.value,
                    none,
                    name(pg_sys::GetUserId()),
                    name(pg_sys::GetSessionUserId()),
                    none,
                    none,
                    none,
                    self.request.value,
                    Datum::from(pg_sys::GetCurrentFullTransactionId().value),
                    Datum::from(journal_part::origin()),
                ];
                let mut nulls = [false; TYPES.len()];
                (nulls[4], nulls[5], nulls[11]) = (self.reason.isnull, true, self.request.isnull);
                nulls[8..11].fill(true);
                let tuple = pg_sys::heap_form_tuple((*part).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
                pg_sys::CatalogTupleInsertWithInfo(part, tuple, indexes);
            }
            pg_sys::CatalogCloseIndexes(indexes);
            pg_sys::table_close(part, pg_sys::NoLock as i32);
            is_usual
        }
    }
}

/// The text of a setting; null where it is empty.
fn said(setting: &CStr) -> NullableDatum {
    // SAFETY: missing_ok; the value is null or NUL-terminated.
    unsafe {
        let value = pg_sys::GetConfigOption(setting.as_ptr(), true, false);
        let isnull = value.is_null() || *value == 0;
        let value = if isnull { Datum::null() } else { pg_sys::cstring_to_text(value).into() };
        NullableDatum { value, isnull }
    }
}

/// Whether nothing but its columns and indexes has a say in what is written to the part.
///
/// # Safety
/// `part` is open.
unsafe fn is_usual(part: pg_sys::Relation) -> bool {
    // SAFETY: the caller has opened it; the descriptor's constraints are null or valid.
    unsafe {
        let (form, columns) = (&*(*part).rd_rel, (*part).rd_att);
        let is_plain = (*columns).constr.as_ref().is_none_or(|it| it.num_check == 0 && !it.has_generated_stored);
        form.relkind as u8 == pg_sys::RELKIND_RELATION
            && form.relam == pg_sys::HEAP_TABLE_AM_OID
            && journal_part::leaves_inserts_alone(part)
            && is_plain
            && (*columns).natts as usize == TYPES.len()
            && (1..).zip(TYPES).all(|(column, of)| pg_sys::SPI_gettypeid(columns, column) == of)
    }
}

/// Whether each is on columns, of all rows.
///
/// # Safety
/// `indexes` are open.
unsafe fn has_usual_indexes(indexes: pg_sys::CatalogIndexState) -> bool {
    // SAFETY: there are as many as it says.
    unsafe {
        (0..(*indexes).ri_NumIndices as usize).all(|at| {
            let info = &**(*indexes).ri_IndexRelationInfo.add(at);
            let index = &*(**(*indexes).ri_IndexRelationDescs.add(at)).rd_index;
            info.ii_Expressions.is_null()
                && info.ii_Predicate.is_null()
                && info.ii_ExclusionOps.is_null()
                && index.indimmediate
        })
    }
}
