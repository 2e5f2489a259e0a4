//! On whose behalf the transaction runs: the settings `pg_tenant.actor` and `pg_tenant.actor_role`, and their readers.
//!
//! As for `pg_tenant.id` (see `context/current.rs`) the truth is the setting, so that PostgreSQL's stack of settings restores
//! it at the end of a transaction, of a savepoint and of an exception block, and carries it to parallel workers. The
//! static is its copy, written by the assign hook and the end-of-transaction callback, neither of which can fail.
//!
//! No pointer into the static leaves it: a reader hands out a copy that lives as long as the calling expression.

use crate::gucs;
use crate::pg::folding;
use crate::pg::function::copied;
use crate::pg::setting;
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, GucSource};
use std::ffi::{CStr, c_char, c_void};

/// The longest actor and role, in bytes: that of `pg_tenant_token`.
const MAX_LEN: usize = 255;

const ACTOR: usize = 0;
const ROLE: usize = 1;
const NAMES: [&CStr; 2] = [c"pg_tenant.actor", c"pg_tenant.actor_role"];
/// What `pg_tenant.actor_role` was called in 0.1.0: it shows the same value.
const FORMER_ROLE: &CStr = c"pg_tenant.role";

/// A text datum: PostgreSQL's four-byte header, then the bytes. A header of 0 is none.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Name {
    header: u32,
    bytes: [u8; MAX_LEN],
}

const NONE: Name = Name { header: 0, bytes: [0; MAX_LEN] };

static mut NOW: [Name; 2] = [NONE; 2];
/// How often they were written: tells whether a copy is still true.
static mut WRITTEN: u64 = 0;
/// Where PostgreSQL keeps the texts.
static mut TEXTS: [*mut c_char; 2] = [std::ptr::null_mut(); 2];
/// Where PostgreSQL keeps the text of the former setting, which is always empty.
static mut FORMER_TEXT: *mut c_char = std::ptr::null_mut();
/// Whether [`set`] is writing at this moment: the check hooks accept no other value.
static mut WRITING: bool = false;

/// Names the actor and the role of the transaction, until it or the savepoint it stands in ends.
pub fn set(actor: Option<&str>, role: Option<&str>) {
    // SAFETY: one thread. Should set_local raise, WRITING stays set until the transaction ends; nothing but this function
    // reaches the check hooks with a value of a session, except a superuser's SET.
    unsafe {
        WRITING = true;
        for (name, value) in [("pg_tenant.actor", actor), ("pg_tenant.actor_role", role)] {
            if let Some(value) = value {
                setting::set_local(name, value);
            }
        }
        WRITING = false;
    }
}

/// The transaction has ended, whatever the stack of settings does after this.
pub fn clear() {
    // SAFETY: one thread.
    unsafe {
        NOW = [NONE; 2];
        WRITTEN += 1;
        WRITING = false;
    }
}

/// Declares the settings.
pub fn init() {
    let [actor, role] = NAMES;
    // SAFETY: addresses of statics.
    let (actor_text, role_text) = unsafe { (&raw mut TEXTS[ACTOR], &raw mut TEXTS[ROLE]) };
    gucs::define_identity(
        actor,
        c"On whose behalf the transaction runs.",
        actor_text,
        check_hook,
        Some(assign_hook::<ACTOR>),
        None,
    );
    gucs::define_identity(
        role,
        c"In which role of the application.",
        role_text,
        check_hook,
        Some(assign_hook::<ROLE>),
        None,
    );
    let former_text = &raw mut FORMER_TEXT;
    let description = c"Deprecated: shows pg_tenant.actor_role.";
    gucs::define_identity(FORMER_ROLE, description, former_text, check_hook, None, Some(show_role));
}

/// The text of `pg_tenant.actor_role`, under its former name.
unsafe extern "C-unwind" fn show_role() -> *const c_char {
    // SAFETY: one thread; PostgreSQL's own pointer, null at most before the setting has its first value.
    let text = unsafe { TEXTS[ROLE] };
    if text.is_null() { c"".as_ptr() } else { text }
}

/// Makes the datum that the assign hook copies; refuses what nobody may write.
unsafe extern "C-unwind" fn check_hook(
    value: *mut *mut c_char,
    extra: *mut *mut c_void,
    source: GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes a valid value and a place for extra. Nothing here raises or needs dropping.
    unsafe {
        let text = if (*value).is_null() { c"" } else { CStr::from_ptr(*value) }.to_bytes();
        if text.is_empty() {
            return true;
        }
        let ours = WRITING && source == GucSource::PGC_S_SESSION;
        if text.len() > MAX_LEN || !(ours || pg_sys::InitializingParallelWorker) {
            pg_sys::GUC_check_errhint_string = c"Enter with tenant.enter_signed().".as_ptr().cast_mut();
            return false;
        }
        let place = setting::allocate_extra(size_of::<Name>()).cast::<Name>();
        if place.is_null() {
            return setting::refuse_for_memory();
        }
        let mut name = NONE;
        name.header = ((text.len() as u32) + 4) << 2;
        name.bytes[..text.len()].copy_from_slice(text);
        place.write(name);
        *extra = place.cast();
        true
    }
}

/// Copies the datum; nothing else.
unsafe extern "C-unwind" fn assign_hook<const WHICH: usize>(_: *const c_char, extra: *mut c_void) {
    // SAFETY: extra is null or a Name that the check hook wrote; one thread.
    unsafe {
        NOW[WHICH] = if extra.is_null() { NONE } else { *extra.cast::<Name>() };
        WRITTEN += 1;
    }
}

macro_rules! reader {
    ($symbol:ident, $finfo:ident, $which:expr) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> &'static pg_sys::Pg_finfo_record {
            &crate::pg::function::VERSION_1
        }

        /// # Safety
        /// Called by PostgreSQL's function manager.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: FunctionCallInfo) -> Datum {
            // SAFETY: one thread; fcinfo is valid during the call.
            unsafe {
                folding::touch();
                if NOW[$which].header == 0 {
                    (*fcinfo).isnull = true;
                    return Datum::null();
                }
                copied(fcinfo, WRITTEN, &raw const NOW[$which])
            }
        }
    };
}

reader!(pg_tenant_current_actor, pg_finfo_pg_tenant_current_actor, ACTOR);
reader!(pg_tenant_current_actor_role, pg_finfo_pg_tenant_current_actor_role, ROLE);
// The name of 0.1.0, deprecated.
reader!(pg_tenant_current_role, pg_finfo_pg_tenant_current_role, ROLE);
