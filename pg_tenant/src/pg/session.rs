//! What a session carries from earlier transactions, but for settings ([`crate::pg::session_settings`]).

use crate::pg::oids;
use crate::pg::{catalog, depend, raw, temporary};
use pgrx::IntoDatum;
use pgrx::pg_sys::{self, Oid};
use std::ffi::CStr;

const NAMESPACE: Oid = oids::NamespaceRelationId;

/// `InvalidSubTransactionId`, which the bindings do not carry: the mark of a cursor that outlives its transaction.
const FILLED: u32 = 0;

/// Whether a cursor WITH HOLD of this name is there, be it declared in this transaction.
pub fn has_held_cursor(name: &CStr) -> bool {
    // SAFETY: looks into a table of this backend's; raises nothing.
    let portal = unsafe { pg_sys::GetPortalByName(name.as_ptr()).as_ref() };
    portal.is_some_and(|portal| portal.cursorOptions & pg_sys::CURSOR_OPT_HOLD as i32 != 0)
}

/// Whether it is one that COMMIT has yet to fill.
pub fn has_unfilled_cursor(name: &CStr) -> bool {
    // SAFETY: as above.
    let portal = unsafe { pg_sys::GetPortalByName(name.as_ptr()).as_ref() };
    has_held_cursor(name) && portal.is_some_and(|portal| portal.createSubid != FILLED)
}

/// Whether a prepared statement of this name is there.
pub fn has_prepared_statement(name: &CStr) -> bool {
    // SAFETY: as above; told to raise nothing.
    !unsafe { pg_sys::FetchPreparedStatement(name.as_ptr(), false) }.is_null()
}

/// Whether the session has temporary objects.
pub fn has_temporary_objects() -> bool {
    let mut found = false;
    if let Some(schema) = temporary::schema() {
        let keys = [(depend::REFCLASSID, NAMESPACE), (depend::REFOBJID, schema)];
        catalog::scan(depend::CATALOG, depend::BY_REFERENCED, &keys, |_| found = true);
    }
    found
}

/// Lets go of what can be let go of: session advisory locks, and what `lastval` and `currval` remember.
pub fn release_locks_and_sequences() {
    // SAFETY: what pg_advisory_unlock_all() calls; it walks this backend's own table of locks.
    unsafe { pg_sys::LockReleaseSession(pg_sys::USER_LOCKMETHOD as u16) };
    forget_sequences();
}

/// What `random` gives from now on follows from nothing that was seen or set before.
pub fn forget_random_state() {
    let mut bytes = [0; 8];
    // SAFETY: fills the eight bytes; setseed takes a float8 from -1 to 1.
    unsafe {
        if pg_sys::pg_strong_random(bytes.as_mut_ptr().cast(), bytes.len()) {
            let unit = (u64::from_ne_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64;
            pgrx::direct_function_call_as_datum(pg_sys::setseed, &[(unit * 2.0 - 1.0).into_datum()]);
        }
    }
}

/// Lets go of what `lastval` and `currval` remember.
pub fn forget_sequences() {
    raw::ResetSequenceCaches();
}

/// Makes every plan that the session keeps be made anew, and expressions with it: what DISCARD PLANS does.
pub fn forget_plans() {
    // SAFETY: marks plans; each is made anew when it is next used.
    unsafe { pg_sys::ResetPlanCache() };
}
