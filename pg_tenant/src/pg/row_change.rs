//! `tenant_internal.row_change(was record, is_now record, keys name[], told name[], secret name[]) → jsonb`: what a statement
//! has changed in a row, as `tenant.audit` journals it: the key, and of the columns that differ the values before and after.
//! `told` limits the columns, null is all; of `secret` ones it says only that they changed. Null where nothing did.
//!
//! Called for each row, with the rows as they are: only values that changed become JSON. No frame holds anything to drop, and
//! every call into PostgreSQL is bare, so that errors of users' types cross as they are.

use crate::pg::{function, raw};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, JsonbIteratorToken, JsonbValue, Oid};
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
    to_json: *mut pg_sys::FmgrInfo,
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

#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tenant_row_change() -> &'static pg_sys::Pg_finfo_record {
    &function::VERSION_1
}

/// # Safety
/// Called by PostgreSQL's function manager; declared in `sql/schema/` with these arguments.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn pg_tenant_row_change(fcinfo: FunctionCallInfo) -> Datum {
    // SAFETY: the arguments are of the declared types. Memory is palloc'ed: that of the columns in the expression's context,
    // the rest in the row's.
    unsafe {
        let arguments = (*fcinfo).args.as_slice(5);
        let given = if arguments[1].isnull { arguments[0] } else { arguments[1] };
        if given.isnull {
            (*fcinfo).isnull = true;
            return Datum::null();
        }
        let header = raw::pg_detoast_datum(given.value.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
        let columns = columns_of(fcinfo, header);
        let (was, is_now) = (row(arguments[0], columns), row(arguments[1], columns));
        let count = (*(*columns).desc).natts as usize;
        let mut state = null_mut();
        begin(&mut state);
        let (mut changed, mut left_out) = (false, false);
        let key = if is_now.values.is_null() { was } else { is_now };
        begin_in(&mut state, c"key");
        for nth in (0..count).filter(|&nth| (*(*columns).all.add(nth)).is_key) {
            push(&mut state, (*columns).all.add(nth), key, nth);
        }
        end(&mut state);
        for (name, side) in [(c"before", was), (c"after", is_now)] {
            if side.values.is_null() {
                continue;
            }
            begin_in(&mut state, name);
            for nth in 0..count {
                let column = (*columns).all.add(nth);
                if !(*column).is_told || !differs(column, was, is_now, nth) {
                    continue;
                }
                changed = true;
                if (*column).is_secret {
                    left_out = true;
                } else {
                    push(&mut state, column, side, nth);
                }
            }
            end(&mut state);
        }
        if !changed {
            (*fcinfo).isnull = true;
            return Datum::null();
        }
        if left_out {
            say(&mut state, JsonbIteratorToken::WJB_KEY, c"left_out".as_ptr());
            raw::pushJsonbValue(&mut state, JsonbIteratorToken::WJB_BEGIN_ARRAY, null_mut());
            for nth in 0..count {
                let column = (*columns).all.add(nth);
                if (*column).is_told && (*column).is_secret && differs(column, was, is_now, nth) {
                    say(&mut state, JsonbIteratorToken::WJB_ELEM, (*column).name);
                }
            }
            raw::pushJsonbValue(&mut state, JsonbIteratorToken::WJB_END_ARRAY, null_mut());
        }
        Datum::from(raw::JsonbValueToJsonb(end(&mut state)))
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
                to_json: null_mut(),
            };
            if of != Oid::INVALID {
                raw::get_typlenbyval(of, &mut column.length, &mut column.by_value);
                let arguments = (*fcinfo).args.as_slice(5);
                column.is_key = lists(arguments[2], column.name);
                column.is_told = arguments[3].isnull || lists(arguments[3], column.name);
                column.is_secret = lists(arguments[4], column.name);
                column.to_json = to_json_of(of, (*info).fn_mcxt);
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

/// `to_jsonb`, as it is called in a statement with an argument of this type.
///
/// # Safety
/// Called where catalogs can be read, in `context`.
unsafe fn to_json_of(of: Oid, context: pg_sys::MemoryContext) -> *mut pg_sys::FmgrInfo {
    // SAFETY: the nodes are palloc'ed in the caller's context.
    unsafe {
        let function = Oid::from(pg_sys::F_TO_JSONB);
        let info = raw::palloc(size_of::<pg_sys::FmgrInfo>()).cast::<pg_sys::FmgrInfo>();
        raw::fmgr_info_cxt(function, info, context);
        let argument = raw::makeNullConst(of, -1, Oid::INVALID);
        let arguments = raw::lappend(null_mut(), argument.cast());
        let form = pg_sys::CoercionForm::COERCE_EXPLICIT_CALL;
        (*info).fn_expr =
            raw::makeFuncExpr(function, pg_sys::JSONBOID, arguments, Oid::INVALID, Oid::INVALID, form).cast();
        info
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

type State = *mut pg_sys::JsonbParseState;

unsafe fn begin(state: &mut State) {
    // SAFETY: the state is null or that of an object that takes a value now; likewise below.
    unsafe { raw::pushJsonbValue(state, JsonbIteratorToken::WJB_BEGIN_OBJECT, null_mut()) };
}

unsafe fn begin_in(state: &mut State, key: &CStr) {
    // SAFETY: as above.
    unsafe {
        say(state, JsonbIteratorToken::WJB_KEY, key.as_ptr());
        begin(state);
    }
}

unsafe fn end(state: &mut State) -> *mut JsonbValue {
    // SAFETY: as above.
    unsafe { raw::pushJsonbValue(state, JsonbIteratorToken::WJB_END_OBJECT, null_mut()) }
}

/// A text, which lives as long as the state.
unsafe fn say(state: &mut State, what: JsonbIteratorToken::Type, text: *const c_char) {
    // SAFETY: as above; the text ends with a zero.
    unsafe {
        let mut value: JsonbValue = std::mem::zeroed();
        value.type_ = pg_sys::jbvType::jbvString;
        value.val.string.len = CStr::from_ptr(text).count_bytes() as i32;
        value.val.string.val = text.cast_mut();
        raw::pushJsonbValue(state, what, &mut value);
    }
}

/// The column's name and value.
unsafe fn push(state: &mut State, column: *const Column, row: Row, nth: usize) {
    // SAFETY: as above; the value is of the column's type, and a call ends in its argument.
    unsafe {
        say(state, JsonbIteratorToken::WJB_KEY, (*column).name);
        let mut value: JsonbValue = std::mem::zeroed();
        if !*row.nulls.add(nth) {
            let size = size_of::<pg_sys::FunctionCallInfoBaseData>() + size_of::<pg_sys::NullableDatum>();
            let call = raw::palloc0(size).cast::<pg_sys::FunctionCallInfoBaseData>();
            ((*call).flinfo, (*call).nargs) = ((*column).to_json, 1);
            (*call).args.as_mut_slice(1)[0] = pg_sys::NullableDatum { value: *row.values.add(nth), isnull: false };
            let json = (*(*column).to_json).fn_addr.map_or(Datum::null(), |body| body(call));
            let json = raw::pg_detoast_datum(json.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
            let root = &raw mut (*json).root;
            if (*root).header & pg_sys::JB_FSCALAR != 0 {
                raw::JsonbExtractScalar(root, &mut value);
            } else {
                value.type_ = pg_sys::jbvType::jbvBinary;
                value.val.binary.len = ((*json).vl_len_ as u32 >> 2) as i32 - 4;
                value.val.binary.data = root;
            }
        }
        raw::pushJsonbValue(state, JsonbIteratorToken::WJB_VALUE, &mut value);
    }
}
