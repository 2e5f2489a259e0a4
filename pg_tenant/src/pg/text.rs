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

/// Copies a text into the current memory context; it ends at its first NUL byte, if it has one.
pub fn ctext(text: impl AsRef<str>) -> CText {
    let bytes = text.as_ref().as_bytes();
    let bytes = bytes.split(|&b| b == 0).next().unwrap_or_default();
    // SAFETY: palloc0 returns len + 1 zeroed bytes or raises; we fill the first len.
    unsafe {
        let copy = pg_sys::palloc0(bytes.len() + 1).cast::<u8>();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
        CText(copy.cast())
    }
}

/// Reads a C string of PostgreSQL's into one of ours; what is not UTF-8 is replaced. Null reads as empty.
///
/// # Safety
/// `text` is null or a NUL-terminated string that stays alive during the call.
pub unsafe fn owned(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Reads a C string of PostgreSQL's where there is one.
///
/// # Safety
/// As [`owned`].
pub unsafe fn owned_opt(text: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { owned(text) })
}
