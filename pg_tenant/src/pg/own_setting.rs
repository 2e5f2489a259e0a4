//! Text settings that only our own code writes, and what their values are parsed into.
//!
//! The truth is the setting, so that PostgreSQL's own stack of settings restores it at the end of a transaction, of a
//! savepoint and of an exception block, and carries it to parallel workers. Beside it stands its parsed value. The
//! check hook parses, and refuses what nobody may write; the assign hook copies, and can neither fail nor allocate: an
//! error in it would leave the value in the next transaction.

use crate::pg::backend_cell::BackendCell;
use crate::pg::report::Report;
use crate::pg::{boundary, setting};
use pgrx::pg_sys::{self, GucSource};
use std::ffi::{CStr, c_char, c_void};

/// What a value of such a setting is parsed into.
pub trait Parsed: Copy + 'static {
    /// Reads a value, never empty, or refuses it. Raises nothing.
    fn parse(value: &CStr, source: GucSource::Type) -> Check<Self>;

    /// The setting has this value from now on; none where it is empty. Can neither fail nor allocate.
    fn assign(value: Option<Self>);
}

/// What a check hook says of a value.
pub enum Check<T> {
    Taken(T),
    /// Not taken; with a hint for whoever wrote it.
    Refused(Option<&'static CStr>),
    /// The session may not go on: its role is given this value, and it is one that must not have it.
    EndsSession(Report),
}

/// What ends the part of a value that is shown: what follows it is for ourselves, and for parallel workers.
pub const SEPARATOR: char = '\u{1f}';

/// The longest part that is shown, where another follows.
const SHOWN: usize = 255;

/// Where PostgreSQL keeps the text of a setting, and room for the part of it that is shown.
pub struct Text(BackendCell<*mut c_char>, BackendCell<[c_char; SHOWN + 1]>);

impl Text {
    pub const fn new() -> Self {
        Text(BackendCell::new(std::ptr::null_mut()), BackendCell::new([0; SHOWN + 1]))
    }

    /// The text, which lives until it is written again; empty before the setting has its first value.
    pub fn get(&self) -> *const c_char {
        let text = self.0.get();
        if text.is_null() { c"".as_ptr() } else { text }
    }

    /// The part of it that is shown, until it is asked for again.
    pub fn shown(&self) -> *const c_char {
        let whole = self.get();
        // SAFETY: PostgreSQL's text of the setting ends with a zero byte and lives until it is written again.
        let bytes = unsafe { CStr::from_ptr(whole) }.to_bytes();
        let end = bytes.iter().position(|&byte| byte == SEPARATOR as u8);
        end.map_or(whole, |end| self.show(&bytes[..end]))
    }

    /// Another text, to be shown in its place until it is asked for again.
    pub fn show(&self, bytes: &[u8]) -> *const c_char {
        let mut shown = [0; SHOWN + 1];
        shown[..SHOWN].iter_mut().zip(bytes).for_each(|(place, &byte)| *place = byte as c_char);
        self.1.set(shown);
        self.1.as_ptr().cast()
    }
}

/// Such a setting, as it is declared.
pub struct OwnSetting {
    pub name: &'static CStr,
    pub description: &'static CStr,
    /// Which function writes it.
    pub written_by: &'static CStr,
    pub text: &'static Text,
    /// What SHOW and `current_setting` give, where it is not the text.
    pub show: Option<extern "C-unwind" fn() -> *const c_char>,
}

/// Declares the setting. Called from `_PG_init` only.
///
/// `PGC_SUSET`, so that nobody but a superuser can name it in SET, `set_config`, a function's SET clause, a startup
/// option or ALTER ROLE; nor RESET it. RESET ALL leaves it, and no file sets it. Not `GUC_NO_RESET` (from 16): that
/// refuses ALTER ROLE … RESET as well, so no role could be unbound.
pub fn declare<P: Parsed>(setting: OwnSetting) {
    let flags = pg_sys::GUC_NO_RESET_ALL | pg_sys::GUC_DISALLOW_IN_FILE | pg_sys::GUC_DISALLOW_IN_AUTO_FILE;
    // SAFETY: texts and place are static; the hooks are those below.
    unsafe {
        pg_sys::DefineCustomStringVariable(
            setting.name.as_ptr(),
            setting.description.as_ptr(),
            setting.written_by.as_ptr(),
            setting.text.0.as_ptr(),
            c"".as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            flags as i32,
            Some(check::<P>),
            Some(assign::<P>),
            setting.show.map(|show| show as unsafe extern "C-unwind" fn() -> *const c_char),
        );
    }
}

/// Whether this process is given its leader's settings at this moment, to become a parallel worker.
pub fn is_given_by_leader() -> bool {
    // SAFETY: a plain read of a variable of this process.
    unsafe { pg_sys::InitializingParallelWorker }
}

unsafe extern "C-unwind" fn check<P: Parsed>(
    value: *mut *mut c_char,
    extra: *mut *mut c_void,
    source: GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes a valid value and a place for extra. Nothing here raises or needs dropping, but for the
    // report that ends the session.
    unsafe {
        let text = if (*value).is_null() { c"" } else { CStr::from_ptr(*value) };
        if text.is_empty() {
            return true;
        }
        let parsed = match P::parse(text, source) {
            Check::Taken(parsed) => parsed,
            Check::Refused(hint) => {
                if let Some(hint) = hint {
                    pg_sys::GUC_check_errhint_string = hint.as_ptr().cast_mut();
                }
                return false;
            }
            Check::EndsSession(report) => boundary::end_with(report),
        };
        let place = setting::allocate_extra(size_of::<P>()).cast::<P>();
        if place.is_null() {
            return setting::refuse_for_memory();
        }
        place.write(parsed);
        *extra = place.cast();
        true
    }
}

unsafe extern "C-unwind" fn assign<P: Parsed>(_: *const c_char, extra: *mut c_void) {
    // SAFETY: extra is null or what the check hook of the same setting wrote.
    P::assign(unsafe { extra.cast::<P>().as_ref() }.copied());
}
