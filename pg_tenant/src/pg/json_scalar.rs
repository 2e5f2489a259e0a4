//! Values of common types as JSON: what [`json::give`] makes of them by `to_jsonb`, without looking the type up for
//! each value and without a document in between. Every call is bare: nothing here holds anything to drop.

use crate::pg::json::{self, State};
use crate::pg::raw;
use pgrx::pg_sys::{self, Datum, JsonbIteratorToken, JsonbValue, Oid};
use std::ffi::{CStr, c_char};
use std::ptr::null;

/// In bytes, header included: the longest text that a document can hold is for `to_jsonb` to refuse.
const LONG_TEXT: usize = 1 << 27;
/// Room for any moment as text, with its end: PostgreSQL's MAXDATELEN and one.
const MOMENT: usize = 129;

/// How values of a column become JSON. Domains and all else are `to_jsonb`'s.
#[derive(Clone, Copy)]
pub enum Form {
    Boolean,
    Smallint,
    Integer,
    Bigint,
    Numeric,
    Text,
    Uuid,
    /// A date or a timestamp, of this type.
    Moment(Oid),
    /// By `to_jsonb`, as it is called for the type.
    Other(*mut pg_sys::FmgrInfo),
}

impl Form {
    /// That of a type.
    ///
    /// # Safety
    /// Called where catalogs can be read, in `context`, which lives as long as the form.
    pub unsafe fn of(of: Oid, context: pg_sys::MemoryContext) -> Form {
        match of {
            pg_sys::BOOLOID => Form::Boolean,
            pg_sys::INT2OID => Form::Smallint,
            pg_sys::INT4OID => Form::Integer,
            pg_sys::INT8OID => Form::Bigint,
            pg_sys::NUMERICOID => Form::Numeric,
            pg_sys::TEXTOID | pg_sys::VARCHAROID => Form::Text,
            pg_sys::UUIDOID => Form::Uuid,
            pg_sys::DATEOID | pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID => Form::Moment(of),
            // SAFETY: the caller's promise.
            _ => Form::Other(unsafe { json::to_jsonb_of(of, context) }),
        }
    }

    /// Gives a value, which is copied: it lives as long as the state. `to_jsonb` is for what the form cannot say.
    ///
    /// # Safety
    /// An object takes a value now; the value is of the form's type; the current context is the state's.
    pub unsafe fn give(self, state: &mut State, of: Datum, isnull: bool) {
        // SAFETY: the caller's promise: the arms read a value as its type says.
        unsafe {
            let mut value: JsonbValue = std::mem::zeroed();
            if !isnull {
                match self {
                    Form::Boolean => {
                        value.type_ = pg_sys::jbvType::jbvBool;
                        value.val.boolean = of.value() as u8 != 0;
                    }
                    Form::Smallint => number(&mut value, i64::from(of.value() as i16)),
                    Form::Integer => number(&mut value, i64::from(of.value() as i32)),
                    Form::Bigint => number(&mut value, of.value() as i64),
                    Form::Numeric => {
                        let plain = copied(of);
                        if raw::numeric_is_nan(plain.cast()) || raw::numeric_is_inf(plain.cast()) {
                            text(&mut value, raw::OidOutputFunctionCall(pg_sys::F_NUMERIC_OUT.into(), of));
                        } else {
                            value.type_ = pg_sys::jbvType::jbvNumeric;
                            value.val.numeric = plain.cast();
                        }
                    }
                    Form::Text if raw::toast_raw_datum_size(of) < LONG_TEXT => {
                        let plain = copied(of);
                        value.type_ = pg_sys::jbvType::jbvString;
                        value.val.string.len = (*plain.cast::<u32>() >> 2) as i32 - 4;
                        value.val.string.val = plain.cast::<c_char>().add(4);
                    }
                    Form::Text => return json::give(state, by_to_jsonb(pg_sys::TEXTOID), of, false),
                    Form::Uuid => text(&mut value, raw::OidOutputFunctionCall(pg_sys::F_UUID_OUT.into(), of)),
                    Form::Moment(of_type) => {
                        let room = raw::palloc(MOMENT).cast::<c_char>();
                        text(&mut value, raw::JsonEncodeDateTime(room, of, of_type, null()));
                    }
                    Form::Other(to_jsonb) => return json::give(state, to_jsonb, of, false),
                }
            }
            raw::pushJsonbValue(state, JsonbIteratorToken::WJB_VALUE, &mut value);
        }
    }
}

/// # Safety
/// Called where catalogs can be read.
unsafe fn by_to_jsonb(of: Oid) -> *mut pg_sys::FmgrInfo {
    // SAFETY: the caller's promise.
    unsafe { json::to_jsonb_of(of, pg_sys::CurrentMemoryContext) }
}

/// # Safety
/// Called in a context that lives as long as the value.
unsafe fn number(value: &mut JsonbValue, number: i64) {
    value.type_ = pg_sys::jbvType::jbvNumeric;
    // SAFETY: palloc'ed.
    value.val.numeric = unsafe { raw::int64_to_numeric(number) };
}

/// # Safety
/// The text ends with a zero, and lives as long as the value.
unsafe fn text(value: &mut JsonbValue, text: *mut c_char) {
    value.type_ = pg_sys::jbvType::jbvString;
    // SAFETY: the caller's promise.
    value.val.string.len = unsafe { CStr::from_ptr(text).count_bytes() } as i32;
    value.val.string.val = text;
}

/// The value with a header of four bytes, in the current context: the row that it is in is gone before the state is.
///
/// # Safety
/// It is of a type of variable length.
unsafe fn copied(of: Datum) -> *mut pg_sys::varlena {
    // SAFETY: the caller's promise; a value without compression and with a long header says its size in its first word.
    unsafe {
        let given = of.cast_mut_ptr::<pg_sys::varlena>();
        let plain = raw::pg_detoast_datum(given);
        if plain != given {
            return plain;
        }
        let size = (*plain.cast::<u32>() >> 2) as usize;
        let copy = raw::palloc(size).cast::<u8>();
        std::ptr::copy_nonoverlapping(plain.cast::<u8>(), copy, size);
        copy.cast()
    }
}
