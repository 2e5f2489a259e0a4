//! Text that PostgreSQL owns.

use pgrx::pg_sys;
use std::ffi::{CStr, c_char};

/// A NUL-terminated text in a PostgreSQL memory context.
#[derive(Clone, Copy)]
pub struct CText(*const c_char);

impl CText {
    pub fn as_ptr(self) -> *const c_char {
        self.0
    }
}

/// Copies a text into the current memory context, in the database's encoding; it ends at its first NUL byte, if it has
/// one.
pub fn ctext(text: impl AsRef<str>) -> CText {
    let copy = utf8(text);
    if speaks_utf8() {
        return copy;
    }
    // SAFETY: NUL-terminated; the result is the copy itself or another palloc'ed one.
    CText(unsafe { pg_sys::pg_any_to_server(copy.0, CStr::from_ptr(copy.0).count_bytes() as i32, UTF8) })
}

fn utf8(text: impl AsRef<str>) -> CText {
    let bytes = text.as_ref().as_bytes();
    let bytes = bytes.split(|&b| b == 0).next().unwrap_or_default();
    // SAFETY: palloc0 returns len + 1 zeroed bytes or raises; we fill the first len.
    unsafe {
        let copy = pg_sys::palloc0(bytes.len() + 1).cast::<u8>();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
        CText(copy.cast())
    }
}

/// `pg_enc` of mb/pg_wchar.h, which the bindings do not carry.
const SQL_ASCII: i32 = 0;
const UTF8: i32 = 6;

/// Whether bytes need no conversion: SQL_ASCII has none.
fn speaks_utf8() -> bool {
    // SAFETY: reads the database's encoding.
    matches!(unsafe { pg_sys::GetDatabaseEncoding() }, SQL_ASCII | UTF8)
}

/// Reads a C string of PostgreSQL's, in the database's encoding, into one of ours; what is not UTF-8 then is replaced.
/// Null reads as empty.
///
/// # Safety
/// `text` is null or a NUL-terminated string that stays alive during the call.
pub unsafe fn owned(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise; the converted text is the same or a palloc'ed one.
    unsafe {
        let text = if speaks_utf8() {
            text
        } else {
            pg_sys::pg_server_to_any(text, CStr::from_ptr(text).count_bytes() as i32, UTF8).cast_const()
        };
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// Reads a C string of PostgreSQL's where there is one.
///
/// # Safety
/// As [`owned`].
pub unsafe fn owned_opt(text: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { owned(text) })
}
