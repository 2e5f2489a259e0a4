//! What a session carries from earlier transactions.

use crate::pg::{catalog, raw, text};
use pgrx::pg_sys::{self, AttrNumber, Oid};

const NAMESPACE: Oid = Oid::from_u32(2615);
const DEPEND: Oid = Oid::from_u32(2608);
const DEPEND_BY_REFERENCED: Oid = Oid::from_u32(2674);
const REFCLASSID: AttrNumber = 4;
const REFOBJID: AttrNumber = 5;

/// What the settings say of earlier transactions.
pub enum Settings {
    /// None was set for the session, and none in this transaction, which it could keep.
    Clean,
    /// None was set for the session before this transaction.
    CleanSoFar,
    /// This one was set for the session: by SET, by `set_config`, or by SET ROLE.
    Set(String),
}

/// Looks at every setting. A value set earlier in this transaction counts by what stands below it, which is what the
/// transaction began with.
pub fn settings() -> Settings {
    let mut so_far = Settings::Clean;
    // SAFETY: PostgreSQL's own array of settings; each record's stack is a list that ends in null.
    unsafe {
        for &setting in variables() {
            let mut source = (*setting).source;
            let mut level = (*setting).stack;
            if !level.is_null() {
                so_far = Settings::CleanSoFar;
            }
            while !level.is_null() {
                source = (*level).source;
                level = (*level).prev;
            }
            if source == pg_sys::GucSource::PGC_S_SESSION && !begins_anew((*setting).name) {
                return Settings::Set(text::owned((*setting).name));
            }
        }
    }
    so_far
}

/// SET TRANSACTION is noted as a setting of the session, yet each transaction begins with the defaults.
unsafe fn begins_anew(name: *const std::ffi::c_char) -> bool {
    // SAFETY: a setting's name is a NUL-terminated text.
    let name = unsafe { std::ffi::CStr::from_ptr(name) };
    [c"transaction_isolation", c"transaction_read_only", c"transaction_deferrable"].contains(&name)
}

#[cfg(feature = "pg15")]
unsafe fn variables<'a>() -> &'a [*mut pg_sys::config_generic] {
    // SAFETY: the array has as many entries as PostgreSQL says.
    unsafe { std::slice::from_raw_parts(pg_sys::get_guc_variables(), pg_sys::GetNumConfigOptions() as usize) }
}

#[cfg(not(feature = "pg15"))]
unsafe fn variables<'a>() -> &'a [*mut pg_sys::config_generic] {
    let mut count = 0;
    // SAFETY: the array has as many entries as PostgreSQL says; it is a fresh palloc'ed one.
    unsafe {
        let variables = pg_sys::get_guc_variables(&mut count);
        std::slice::from_raw_parts(variables, count as usize)
    }
}

/// Whether the session has temporary objects.
pub fn has_temporary_objects() -> bool {
    let (mut schema, mut toast) = (Oid::INVALID, Oid::INVALID);
    // SAFETY: writes the two oids.
    unsafe { pg_sys::GetTempNamespaceState(&mut schema, &mut toast) };
    let mut found = false;
    if schema != Oid::INVALID {
        let keys = [(REFCLASSID, NAMESPACE), (REFOBJID, schema)];
        catalog::scan(DEPEND, DEPEND_BY_REFERENCED, &keys, |_| found = true);
    }
    found
}

/// Lets go of what can be let go of: session advisory locks, and what `lastval` and `currval` remember.
pub fn release_locks_and_sequences() {
    // SAFETY: what pg_advisory_unlock_all() calls; it walks this backend's own table of locks.
    unsafe { pg_sys::LockReleaseSession(pg_sys::USER_LOCKMETHOD as u16) };
    forget_sequences();
}

/// Lets go of what `lastval` and `currval` remember.
pub fn forget_sequences() {
    raw::ResetSequenceCaches();
}
