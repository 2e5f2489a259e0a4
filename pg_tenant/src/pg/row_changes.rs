//! The aggregate `tenant_internal.row_changes(was record, is_now record, keys name[], told name[], secret name[]) →
//! jsonb`: what a statement has changed in rows, as `tenant.audit` journals it: of each row the key, and of the columns
//! that differ the values before and after. `told` limits the columns, null is all; of `secret` ones it says only that
//! they changed. Null where nothing did.
//!
//! It takes rows as they are, and puts one document together: only values that changed become JSON, and each once. No
//! frame holds anything to drop, and every call into PostgreSQL is bare, so that errors of users' types cross as they
//! are.

use crate::pg::json::{State, begin, begin_in, end, say};
use crate::pg::json_scalar::Form;
use crate::pg::{function, raw};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, JsonbIteratorToken, Oid};
use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

/// A column, as long as the calling expression lives.
#[derive(Clone, Copy)]
struct Column {
    name: *mut c_char,
    /// InvalidOid where the column was dropped.
    of: Oid,
    length: i16,
    by_value: bool,
    is_key: bool,
    is_told: bool,
    is_secret: bool,
    form: Form,
}

/// The columns of the rows' type.
#[derive(Clone, Copy)]
struct Columns {
    of: Oid,
    modifier: i32,
    desc: pg_sys::TupleDesc,
    all: *mut Column,
}

/// The values of a row.
#[derive(Clone, Copy)]
struct Row {
    values: *mut Datum,
    nulls: *mut bool,
}

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
    // SAFETY: the arguments are of the declared types. Memory is palloc'ed: that of the columns in the expression's context,
    // that of the document in the aggregate's, the rest in the row's.
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

/// Whether the column has another value, byte by byte; true where one of the rows is not there.
///
/// # Safety
/// The rows have as many columns.
unsafe fn differs(column: *const Column, was: Row, is_now: Row, nth: usize) -> bool {
    // SAFETY: the caller's promise; both values are of the column's type.
    unsafe {
        if (*column).of == Oid::INVALID {
            return false;
        }
        if was.values.is_null() || is_now.values.is_null() {
            return true;
        }
        match (*was.nulls.add(nth), *is_now.nulls.add(nth)) {
            (true, true) => false,
            (false, false) => {
                let (before, after) = (*was.values.add(nth), *is_now.values.add(nth));
                !raw::datum_image_eq(before, after, (*column).by_value, i32::from((*column).length))
            }
            _ => true,
        }
    }
}

/// The values of the argument; none where it is null.
///
/// # Safety
/// It is a row of these columns' type, or null.
unsafe fn row(argument: pg_sys::NullableDatum, columns: *const Columns) -> Row {
    // SAFETY: the caller's promise; the arrays have room for each column.
    unsafe {
        if argument.isnull {
            return Row { values: null_mut(), nulls: null_mut() };
        }
        let header = raw::pg_detoast_datum(argument.value.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
        let count = (*(*columns).desc).natts as usize;
        let values = raw::palloc(count * size_of::<Datum>()).cast::<Datum>();
        let nulls = raw::palloc(count).cast::<bool>();
        let mut tuple: pg_sys::HeapTupleData = std::mem::zeroed();
        tuple.t_len = ((*header).t_choice.t_datum.datum_len_ as u32) >> 2;
        tuple.t_data = header;
        raw::heap_deform_tuple(&mut tuple, (*columns).desc, values, nulls);
        Row { values, nulls }
    }
}

/// The columns of the row's type: looked up once for an expression.
///
/// # Safety
/// `fcinfo` is that of the running call, `header` a row.
unsafe fn columns_of(fcinfo: FunctionCallInfo, header: pg_sys::HeapTupleHeader) -> *const Columns {
    // SAFETY: fn_extra is ours, and lives as long as the expression, as what is allocated here.
    unsafe {
        let info = (*fcinfo).flinfo;
        let (of, modifier) = ((*header).t_choice.t_datum.datum_typeid, (*header).t_choice.t_datum.datum_typmod);
        let known = (*info).fn_extra.cast::<Columns>();
        if !known.is_null() && (*known).of == of && (*known).modifier == modifier {
            return known;
        }
        let row_context = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = (*info).fn_mcxt;
        let desc = raw::lookup_rowtype_tupdesc_copy(of, modifier);
        let count = (*desc).natts as usize;
        let all = raw::palloc(count * size_of::<Column>()).cast::<Column>();
        for nth in 0..count {
            let number = nth as i32 + 1;
            let of = raw::SPI_gettypeid(desc, number);
            let mut column = Column {
                name: raw::SPI_fname(desc, number),
                of,
                length: 0,
                by_value: false,
                is_key: false,
                is_told: false,
                is_secret: false,
                form: Form::Other(null_mut()),
            };
            if of != Oid::INVALID {
                raw::get_typlenbyval(of, &mut column.length, &mut column.by_value);
                let arguments = (*fcinfo).args.as_slice(6);
                column.is_key = lists(arguments[3], column.name);
                column.is_told = arguments[4].isnull || lists(arguments[4], column.name);
                column.is_secret = lists(arguments[5], column.name);
                column.form = Form::of(of, (*info).fn_mcxt);
            }
            all.add(nth).write(column);
        }
        let known = raw::palloc(size_of::<Columns>()).cast::<Columns>();
        known.write(Columns { of, modifier, desc, all });
        (*info).fn_extra = known.cast();
        pg_sys::CurrentMemoryContext = row_context;
        known
    }
}

/// Whether the array has this name.
///
/// # Safety
/// It is a `name[]` or null; the name ends with a zero.
unsafe fn lists(array: pg_sys::NullableDatum, name: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        if array.isnull {
            return false;
        }
        let (mut elements, mut nulls, mut count) = (null_mut(), null_mut(), 0);
        let array = raw::pg_detoast_datum(array.value.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        let length = pg_sys::NAMEDATALEN as i32;
        raw::deconstruct_array(
            array,
            pg_sys::NAMEOID,
            length,
            false,
            b'c' as c_char,
            &mut elements,
            &mut nulls,
            &mut count,
        );
        (0..count as usize)
            .any(|nth| !*nulls.add(nth) && CStr::from_ptr((*elements.add(nth)).cast_mut_ptr()) == CStr::from_ptr(name))
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
