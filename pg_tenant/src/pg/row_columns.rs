//! The rows of [`row_changes`](crate::pg::row_changes): their columns, looked up once for an expression, and their
//! values.

use crate::pg::json_scalar::Form;
use crate::pg::raw;
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};
use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

/// A column, as long as the calling expression lives.
#[derive(Clone, Copy)]
pub struct Column {
    pub name: *mut c_char,
    /// InvalidOid where the column was dropped.
    pub of: Oid,
    pub length: i16,
    pub by_value: bool,
    pub is_key: bool,
    pub is_told: bool,
    pub is_secret: bool,
    pub form: Form,
}

/// The columns of the rows' type.
#[derive(Clone, Copy)]
pub struct Columns {
    pub of: Oid,
    pub modifier: i32,
    pub desc: pg_sys::TupleDesc,
    pub all: *mut Column,
}

/// The values of a row.
#[derive(Clone, Copy)]
pub struct Row {
    pub values: *mut Datum,
    pub nulls: *mut bool,
}

/// Whether the column has another value, byte by byte; true where one of the rows is not there.
///
/// # Safety
/// The rows have as many columns.
pub unsafe fn differs(column: *const Column, was: Row, is_now: Row, nth: usize) -> bool {
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
pub unsafe fn row(argument: pg_sys::NullableDatum, columns: *const Columns) -> Row {
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
pub unsafe fn columns_of(fcinfo: FunctionCallInfo, header: pg_sys::HeapTupleHeader) -> *const Columns {
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
