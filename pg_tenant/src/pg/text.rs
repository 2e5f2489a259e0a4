//! Text that PostgreSQL owns.

use crate::pg::raw;
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
    let raw = if has_no_encoding() { raw_bytes(text.as_ref()) } else { None };
    let bytes = raw.as_deref().unwrap_or(text.as_ref().as_bytes());
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

/// A database with encoding SQL_ASCII holds any bytes. Those that are not UTF-8 stand in our texts as these characters,
/// of a private use area, so that a name finds its object again: 0x80 as the first of them.
const RAW: u32 = 0x10_FE80;

fn has_no_encoding() -> bool {
    // SAFETY: reads the database's encoding.
    unsafe { pg_sys::GetDatabaseEncoding() == SQL_ASCII }
}

fn is_raw(c: char) -> bool {
    (RAW..RAW + 0x80).contains(&u32::from(c))
}

/// Reads bytes of no known encoding.
fn from_raw_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(is_raw) => text.to_owned(),
        _ => {
            let character = |byte: u8| {
                if byte < 0x80 { Some(char::from(byte)) } else { char::from_u32(RAW - 0x80 + u32::from(byte)) }
            };
            bytes.iter().filter_map(|&byte| character(byte)).collect()
        }
    }
}

/// The bytes that were read so; none where the text has none of them.
fn raw_bytes(text: &str) -> Option<Vec<u8>> {
    text.contains(is_raw).then(|| {
        let mut bytes = Vec::with_capacity(text.len());
        for c in text.chars() {
            match u8::try_from(u32::from(c).wrapping_sub(RAW)) {
                Ok(above) if is_raw(c) => bytes.push(0x80 + above),
                _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        bytes
    })
}

/// Whether bytes need no conversion: SQL_ASCII has none.
fn speaks_utf8() -> bool {
    // SAFETY: reads the database's encoding.
    matches!(unsafe { pg_sys::GetDatabaseEncoding() }, SQL_ASCII | UTF8)
}

/// The bytes of a `text` value, whichever header it has. One that is compressed or stored elsewhere is fetched, which
/// may raise: called bare, where nothing is to drop.
///
/// # Safety
/// The value is a `text` that lives as long as the result is used, in a memory context that ends soon.
pub unsafe fn bytes_of<'a>(value: pg_sys::Datum) -> &'a [u8] {
    // SAFETY: a varlena begins with a header of one byte, whose lowest bit is set, or of four; the value 1 says that it
    // is stored elsewhere, the second bit that it is compressed. `compile_error!` in row_function.rs keeps to
    // little-endian machines.
    unsafe {
        let mut start = value.cast_mut_ptr::<u8>();
        if *start == 1 || *start & 3 == 2 {
            start = raw::pg_detoast_datum(start.cast()).cast();
        }
        if *start & 1 == 1 {
            std::slice::from_raw_parts(start.add(1), usize::from(*start >> 1) - 1)
        } else {
            std::slice::from_raw_parts(start.add(4), (start.cast::<u32>().read_unaligned() >> 2) as usize - 4)
        }
    }
}

/// Reads a C string of PostgreSQL's, in the database's encoding, into one of ours; what is not UTF-8 then
/// is replaced, but for names in a database without encoding.
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
        let bytes = CStr::from_ptr(text);
        if has_no_encoding() { from_raw_bytes(bytes.to_bytes()) } else { bytes.to_string_lossy().into_owned() }
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
