//! JSON, put together a piece at a time with PostgreSQL's own builder. Every call is bare: nothing here holds anything
//! to drop.

use crate::pg::raw;
use pgrx::pg_sys::{self, Datum, JsonbIteratorToken, JsonbValue, Oid};
use std::ffi::{CStr, c_char};
use std::ptr::null_mut;

pub type State = *mut pg_sys::JsonbParseState;

/// Begins an object.
///
/// # Safety
/// The state is null or that of an object or array that takes a value now; likewise below.
pub unsafe fn begin(state: &mut State) {
    // SAFETY: the state is null or that of an object that takes a value now; likewise below.
    unsafe { raw::pushJsonbValue(state, JsonbIteratorToken::WJB_BEGIN_OBJECT, null_mut()) };
}

/// Begins an object under this key.
///
/// # Safety
/// As [`begin`].
pub unsafe fn begin_in(state: &mut State, key: &CStr) {
    // SAFETY: as above.
    unsafe {
        say(state, JsonbIteratorToken::WJB_KEY, key.as_ptr());
        begin(state);
    }
}

/// Ends the object.
///
/// # Safety
/// As [`begin`].
pub unsafe fn end(state: &mut State) -> *mut JsonbValue {
    // SAFETY: as above.
    unsafe { raw::pushJsonbValue(state, JsonbIteratorToken::WJB_END_OBJECT, null_mut()) }
}

/// A text, which lives as long as the state, as key, value or element.
///
/// # Safety
/// As [`begin`]; the text ends with a zero.
pub unsafe fn say(state: &mut State, what: JsonbIteratorToken::Type, text: *const c_char) {
    // SAFETY: as above; the text ends with a zero.
    unsafe {
        let mut value: JsonbValue = std::mem::zeroed();
        value.type_ = pg_sys::jbvType::jbvString;
        value.val.string.len = CStr::from_ptr(text).count_bytes() as i32;
        value.val.string.val = text.cast_mut();
        raw::pushJsonbValue(state, what, &mut value);
    }
}

/// `to_jsonb`, as it is called in a statement with an argument of this type.
///
/// # Safety
/// Called where catalogs can be read, in `context`.
pub unsafe fn to_jsonb_of(of: Oid, context: pg_sys::MemoryContext) -> *mut pg_sys::FmgrInfo {
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

/// The value that `to_jsonb` gives of it, which lives as long as the state; of null, JSON's null.
///
/// # Safety
/// As [`begin`]; `to_jsonb` is made for the value's type.
pub unsafe fn give(state: &mut State, to_jsonb: *mut pg_sys::FmgrInfo, of: Datum, isnull: bool) {
    // SAFETY: as above; a call ends in its argument.
    unsafe {
        let mut value: JsonbValue = std::mem::zeroed();
        if !isnull {
            let size = size_of::<pg_sys::FunctionCallInfoBaseData>() + size_of::<pg_sys::NullableDatum>();
            let call = raw::palloc0(size).cast::<pg_sys::FunctionCallInfoBaseData>();
            ((*call).flinfo, (*call).nargs) = (to_jsonb, 1);
            (*call).args.as_mut_slice(1)[0] = pg_sys::NullableDatum { value: of, isnull: false };
            let json = (*to_jsonb).fn_addr.map_or(Datum::null(), |body| body(call));
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
