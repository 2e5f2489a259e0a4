//! Settings that earlier transactions of the session have left.

use crate::pg::text;
use pgrx::pg_sys::{self, Oid};
use std::cell::Cell;
use std::ffi::{CStr, c_char};

/// What the settings say of earlier transactions.
pub enum Settings {
    /// None was set for the session, and none in this transaction, which it could keep.
    Clean,
    /// None was set for the session before this transaction.
    CleanSoFar,
    /// This one was set for the session: by SET, by `set_config`, or by SET ROLE.
    Set(String),
}

/// Settings that a pooler (PgBouncer) sets between transactions to what its client asked for, and that drivers (JDBC,
/// ODBC) set when they connect. Set outside a tenant, such a value does not count as left behind.
pub const HANDED_ON: [&CStr; 7] = [
    c"application_name",
    c"client_encoding",
    c"DateStyle",
    c"extra_float_digits",
    c"IntervalStyle",
    c"standard_conforming_strings",
    c"TimeZone",
];

/// Whether a setting stands as this session has set it at this moment, with SET LOCAL or without. It reads what
/// PostgreSQL writes down for parallel workers, which leaves out settings with their defaults; for whoever asks for all
/// of them it sorts them first.
fn one_is_set() -> bool {
    // SAFETY: the state is written into as much memory as PostgreSQL says it takes; its length comes first.
    unsafe {
        if pg_sys::GetCurrentRoleId() != Oid::INVALID {
            return true;
        }
        let size = pg_sys::EstimateGUCStateSpace();
        let state = pg_sys::palloc(size).cast::<u8>();
        pg_sys::SerializeGUCState(size, state.cast());
        let length = state.cast::<usize>().read_unaligned().min(size - size_of::<usize>());
        let found = one_is_from_session(std::slice::from_raw_parts(state.add(size_of::<usize>()), length));
        pg_sys::pfree(state.cast());
        found.unwrap_or(true)
    }
}

/// Each setting is a name, a value and a file, which end with a zero; where there is a file, a line in it; then source,
/// context and role, of four bytes each. None where it reads otherwise.
fn one_is_from_session(mut state: &[u8]) -> Option<bool> {
    while !state.is_empty() {
        let mut file = 0;
        for _ in 0..3 {
            file = state.iter().position(|&byte| byte == 0)?;
            state = &state[file + 1..];
        }
        let (source, rest) = state.get(if file > 0 { 4 } else { 0 }..)?.split_first_chunk::<4>()?;
        if u32::from_ne_bytes(*source) == pg_sys::GucSource::PGC_S_SESSION {
            return Some(true);
        }
        state = rest.get(8..)?;
    }
    Some(false)
}

/// Looks at every setting, if one may have been set. If a value was set earlier in this transaction, the value before
/// that counts, with which the transaction began. `passes` says which of [`HANDED_ON`] do not count as left behind.
pub fn settings(passes: [bool; HANDED_ON.len()]) -> Settings {
    let mut so_far = Settings::Clean;
    if !one_is_set() {
        return so_far;
    }
    // SAFETY: PostgreSQL's own array of settings; each record's stack is a list that ends in null.
    unsafe {
        for &setting in variables() {
            let mut source = (*setting).source;
            let mut level = (*setting).stack;
            if !level.is_null() {
                so_far = Settings::CleanSoFar;
            }
            let mut before = None;
            while !level.is_null() {
                source = (*level).source;
                before = Some((*level).prior.val);
                level = (*level).prev;
            }
            if source == pg_sys::GucSource::PGC_S_SESSION && !is_as_at_login(setting, before) {
                let name = CStr::from_ptr((*setting).name);
                if !begins_anew(name) && !is_handed_on(name, passes) {
                    return Settings::Set(text::owned((*setting).name));
                }
            }
        }
    }
    so_far
}

/// Whether a setting has the value that RESET would give it: it was never set, or set back. `before` is the value with
/// which the transaction began, if it has set another.
///
/// # Safety
/// `setting` is one of PostgreSQL's records, `before` a value of its kind.
unsafe fn is_as_at_login(setting: *mut pg_sys::config_generic, before: Option<pg_sys::config_var_val>) -> bool {
    use pg_sys::config_type::*;
    // SAFETY: the record is of the kind that its first part names; texts are null or NUL-terminated.
    unsafe {
        match (*setting).vartype {
            PGC_BOOL => {
                let setting = &*setting.cast::<pg_sys::config_bool>();
                before.map_or(*setting.variable, |before| before.boolval) == setting.reset_val
            }
            PGC_INT => {
                let setting = &*setting.cast::<pg_sys::config_int>();
                before.map_or(*setting.variable, |before| before.intval) == setting.reset_val
            }
            PGC_REAL => {
                let setting = &*setting.cast::<pg_sys::config_real>();
                before.map_or(*setting.variable, |before| before.realval) == setting.reset_val
            }
            PGC_ENUM => {
                let setting = &*setting.cast::<pg_sys::config_enum>();
                before.map_or(*setting.variable, |before| before.enumval) == setting.reset_val
            }
            PGC_STRING => {
                let setting = &*setting.cast::<pg_sys::config_string>();
                let now = before.map_or(*setting.variable, |before| before.stringval);
                let text = |value: *mut c_char| if value.is_null() { c"" } else { CStr::from_ptr(value) };
                text(now) == text(setting.reset_val)
            }
            _ => false,
        }
    }
}

/// PostgreSQL records SET TRANSACTION as a setting of the session, but each transaction begins with the defaults.
fn begins_anew(name: &CStr) -> bool {
    [c"transaction_isolation", c"transaction_read_only", c"transaction_deferrable"].contains(&name)
}

/// `client_encoding` and `standard_conforming_strings` decide how a literal is read, so only the usual value passes; of
/// `extra_float_digits` only values that write a number exactly.
fn is_handed_on(name: &CStr, passes: [bool; HANDED_ON.len()]) -> bool {
    let expected: Option<&[&str]> = match name {
        _ if name == c"client_encoding" => Some(&["UTF8"]),
        _ if name == c"standard_conforming_strings" => Some(&["on"]),
        _ if name == c"extra_float_digits" => Some(&["1", "2", "3"]),
        _ => None,
    };
    // SAFETY: the setting exists; its value is a NUL-terminated text.
    let value = || unsafe { text::owned(pg_sys::GetConfigOption(name.as_ptr(), true, false)) };
    HANDED_ON.iter().zip(passes).any(|(&handed_on, passes)| passes && handed_on == name)
        && expected.is_none_or(|values| values.contains(&value().as_str()))
}

/// Which of [`HANDED_ON`] this transaction has set so that its commit keeps them.
pub fn handed_on_now() -> [bool; HANDED_ON.len()] {
    type Found = [*mut pg_sys::config_generic; HANDED_ON.len()];
    thread_local! {
        /// PostgreSQL's own settings stay where they are for the life of the process.
        static FOUND: Cell<Option<Found>> = const { Cell::new(None) };
    }
    let found = FOUND.get().unwrap_or_else(|| {
        let mut found: Found = [std::ptr::null_mut(); HANDED_ON.len()];
        // SAFETY: PostgreSQL's own array of settings.
        for &setting in unsafe { variables() } {
            // SAFETY: a setting's name is a NUL-terminated text.
            let name = unsafe { CStr::from_ptr((*setting).name) };
            if let Some(at) = HANDED_ON.iter().position(|&handed_on| handed_on == name) {
                found[at] = setting;
            }
        }
        FOUND.set(Some(found));
        found
    });
    found.map(|setting| {
        use pg_sys::GucStackState::{GUC_SET, GUC_SET_LOCAL};
        // SAFETY: a record of PostgreSQL's, and the stack that hangs on it.
        let level = unsafe { setting.as_ref().and_then(|setting| setting.stack.as_ref()) };
        level.is_some_and(|level| matches!(level.state, GUC_SET | GUC_SET_LOCAL))
    })
}

/// # Safety
/// The records are PostgreSQL's own, and only read.
#[cfg(feature = "pg15")]
unsafe fn variables<'a>() -> &'a [*mut pg_sys::config_generic] {
    // SAFETY: the array has as many entries as PostgreSQL says.
    unsafe { std::slice::from_raw_parts(pg_sys::get_guc_variables(), pg_sys::GetNumConfigOptions() as usize) }
}

/// # Safety
/// The records are PostgreSQL's own, and only read.
#[cfg(not(feature = "pg15"))]
unsafe fn variables<'a>() -> &'a [*mut pg_sys::config_generic] {
    let mut count = 0;
    // SAFETY: the array has as many entries as PostgreSQL says; it is a fresh palloc'ed one.
    unsafe {
        let variables = pg_sys::get_guc_variables(&mut count);
        std::slice::from_raw_parts(variables, count as usize)
    }
}
