//! The aggregate `tenant_internal.row_changes(was record, is_now record, keys name[], told name[], secret name[]) →
//! jsonb`: what a statement has changed in rows, as `tenant.audit` journals it: of each row the key, and of the columns
//! that differ the values before and after. `told` limits the columns, null is all; of `secret` ones it says only that
//! they changed. Null where nothing did.
//!
//! It takes rows as they are, and puts one document together: only values that changed become JSON, and each once. No
//! frame holds anything to drop, and every call into PostgreSQL is bare, so that errors of users' types cross as they
//! are.

use crate::pg::json::{State, begin, begin_in, end, say};
use crate::pg::row_columns::{Column, Columns, Row, columns_of, differs, row};
use crate::pg::{function, raw};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, JsonbIteratorToken};
use std::ptr::null_mut;

/// The document of a group, as far as it has come. It lives in the aggregate's context, with all that it points to.
struct Document {
    state: State,
}

#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tenant_row_changes_add() -> &'static pg_sys::Pg_finfo_record {
    &function::VERSION_1
}

#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tenant_row_changes_end() -> &'static pg_sys::Pg_finfo_record {
    &function::VERSION_1
}

/// # Safety
/// Called by PostgreSQL's executor; declared in `sql/schema/` with these arguments, and as the step of an aggregate.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn pg_tenant_row_changes_add(fcinfo: FunctionCallInfo) -> Datum {
    // SAFETY: the arguments are of the declared types. Memory is palloc'ed: that of the columns in the expression's
    // context, that of the document in the aggregate's, the rest in the row's.
    unsafe {
        let mut context = null_mut();
        let arguments = (*fcinfo).args.as_slice(6);
        let given = if arguments[2].isnull { arguments[1] } else { arguments[2] };
        let mut document = if arguments[0].isnull { null_mut() } else { arguments[0].value.cast_mut_ptr::<Document>() };
        if !given.isnull && raw::AggCheckCallContext(fcinfo, &mut context) != 0 {
            let header = raw::pg_detoast_datum(given.value.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
            let columns = columns_of(fcinfo, header);
            let (was, is_now) = (row(arguments[1], columns), row(arguments[2], columns));
            let count = (*(*columns).desc).natts as usize;
            let is_changed = |nth| {
                let column = (*columns).all.add(nth);
                (*column).is_told && differs(column, was, is_now, nth)
            };
            if (0..count).any(is_changed) {
                let row_context = pg_sys::CurrentMemoryContext;
                pg_sys::CurrentMemoryContext = context;
                if document.is_null() {
                    document = begin_document();
                }
                add(&mut (*document).state, columns, was, is_now);
                pg_sys::CurrentMemoryContext = row_context;
            }
        }
        (*fcinfo).isnull = document.is_null();
        Datum::from(document)
    }
}

/// # Safety
/// As [`pg_tenant_row_changes_add`], as the end of the aggregate: called once for a group.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn pg_tenant_row_changes_end(fcinfo: FunctionCallInfo) -> Datum {
    // SAFETY: the argument is what the step has made.
    unsafe {
        let argument = (*fcinfo).args.as_slice(1)[0];
        if argument.isnull {
            (*fcinfo).isnull = true;
            return Datum::null();
        }
        let state = &mut (*argument.value.cast_mut_ptr::<Document>()).state;
        raw::pushJsonbValue(state, JsonbIteratorToken::WJB_END_ARRAY, null_mut());
        Datum::from(raw::JsonbValueToJsonb(end(state)))
    }
}

/// `{"rows": [`, in the current context.
///
/// # Safety
/// Called in the aggregate's context.
unsafe fn begin_document() -> *mut Document {
    // SAFETY: palloc'ed.
    unsafe {
        let document = raw::palloc(size_of::<Document>()).cast::<Document>();
        document.write(Document { state: null_mut() });
        let state = &mut (*document).state;
        begin(state);
        say(state, JsonbIteratorToken::WJB_KEY, c"rows".as_ptr());
        raw::pushJsonbValue(state, JsonbIteratorToken::WJB_BEGIN_ARRAY, null_mut());
        document
    }
}

/// A row as an element: key, before, after, and what was left out.
///
/// # Safety
/// The state takes an element now; the current context is the state's; the rows have these columns.
unsafe fn add(state: &mut State, columns: *const Columns, was: Row, is_now: Row) {
    // SAFETY: the caller's promise.
    unsafe {
        let count = (*(*columns).desc).natts as usize;
        let mut left_out = false;
        begin(state);
        let key = if is_now.values.is_null() { was } else { is_now };
        begin_in(state, c"key");
        for nth in (0..count).filter(|&nth| (*(*columns).all.add(nth)).is_key) {
            push(state, (*columns).all.add(nth), key, nth);
        }
        end(state);
        for (name, side) in [(c"before", was), (c"after", is_now)] {
            if side.values.is_null() {
                continue;
            }
            begin_in(state, name);
            for nth in 0..count {
                let column = (*columns).all.add(nth);
                if !(*column).is_told || !differs(column, was, is_now, nth) {
                    continue;
                }
                if (*column).is_secret {
                    left_out = true;
                } else {
                    push(state, column, side, nth);
                }
            }
            end(state);
        }
        if left_out {
            say(state, JsonbIteratorToken::WJB_KEY, c"left_out".as_ptr());
            raw::pushJsonbValue(state, JsonbIteratorToken::WJB_BEGIN_ARRAY, null_mut());
            for nth in 0..count {
                let column = (*columns).all.add(nth);
                if (*column).is_told && (*column).is_secret && differs(column, was, is_now, nth) {
                    say(state, JsonbIteratorToken::WJB_ELEM, (*column).name);
                }
            }
            raw::pushJsonbValue(state, JsonbIteratorToken::WJB_END_ARRAY, null_mut());
        }
        end(state);
    }
}

/// The column's name and value.
///
/// # Safety
/// An object takes a key now; the row has the column.
unsafe fn push(state: &mut State, column: *const Column, row: Row, nth: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        say(state, JsonbIteratorToken::WJB_KEY, (*column).name);
        let (value, isnull) = (*row.values.add(nth), *row.nulls.add(nth));
        (*column).form.give(state, value, isnull);
    }
}
