//! Where the current tenant stands, or the system context, and the callbacks that write it.
//!
//! The truth is the setting `pg_tenant.id`, so that PostgreSQL's own stack of settings restores it at the end of a
//! transaction, of a savepoint and of an exception block. This is its parsed copy, which policies read once per
//! statement or row through a pointer.
//!
//! Invariants, all in one thread:
//! - Only the assign hook and the end-of-transaction callback write [`CURRENT`]. Neither can fail or allocate: an error in
//!   an assign hook would leave the tenant set in the next transaction.
//! - The check hook refuses every value but those that [`set`] asks for and those that ALTER ROLE … SET has stored:
//!   what a superuser writes with SET has passed no registry.
//! - No pointer into it leaves this file: an argument of CALL outlives the transaction in which it was evaluated. A reader
//!   hands out a copy that lives as long as the calling expression, made once for each tenant.

use crate::context::seal::{self, Entered};
use crate::context::{bound, owner, refusals, test_mode};
use crate::gucs;
use crate::pg::function::copied;
use crate::pg::policy::Reader;
use crate::pg::text::bytes_of;
use crate::pg::{boundary, folding, identity, replication, setting, transaction};
use crate::registry::Limits;
use pg_tenant_core::{SystemContext, TenantId};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, GucSource};
use std::ffi::{c_char, c_void};

#[cfg(target_endian = "big")]
compile_error!("the header of TextDatum is that of little-endian machines");

/// A text datum with room for the longest tenant id: PostgreSQL's four-byte header, then the bytes.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct TextDatum {
    header: u32,
    bytes: [u8; TenantId::MAX_LEN],
}

/// The current tenant in every form that a policy may ask for; in a system context, none of them.
#[repr(C)]
#[derive(Clone, Copy)]
struct Current {
    entered: Option<Entered>,
    has_id: bool,
    bound: bool,
    has_uuid: bool,
    has_bigint: bool,
    bigint: i64,
    uuid: [u8; 16],
    text: TextDatum,
    limits: Limits,
}

const NO_TENANT: Current = Current {
    entered: None,
    has_id: false,
    bound: false,
    has_uuid: false,
    has_bigint: false,
    bigint: 0,
    uuid: [0; 16],
    text: TextDatum { header: 0, bytes: [0; TenantId::MAX_LEN] },
    limits: Limits::NONE,
};

static mut CURRENT: Current = NO_TENANT;
/// How often the current was written: tells whether a copy of it is still true.
static mut WRITTEN: u64 = 0;
/// What the session began with: the tenant of a bound role, else none. Every transaction ends in it.
static mut SESSION: Current = NO_TENANT;
/// The last transaction that entered a tenant was a statement by itself, in autocommit.
static mut ENDED_WITH_ITS_STATEMENT: bool = false;
/// What [`set`] is writing at this moment: the check hook accepts no other value.
static mut WRITING: Option<(Entered, Limits)> = None;

/// The current tenant.
pub fn tenant() -> Option<TenantId> {
    match entered() {
        Some(Entered::Tenant(id)) => Some(id),
        _ => None,
    }
}

/// The system context, where the transaction is in it. What it allows is for [`crate::context::system`] to say.
pub fn system() -> Option<SystemContext> {
    match entered() {
        Some(Entered::System(context)) => Some(context),
        _ => None,
    }
}

/// The current tenant, or the system context.
pub fn entered() -> Option<Entered> {
    // SAFETY: one thread; a copy.
    unsafe { CURRENT.entered }
}

/// Whether there is a current tenant: for hooks that run for every function of a statement.
pub fn is_set() -> bool {
    // SAFETY: one thread; a plain read.
    unsafe { CURRENT.has_id }
}

/// The tenant that the session's role is bound to.
pub fn session_tenant() -> Option<TenantId> {
    // SAFETY: one thread; a copy.
    match unsafe { SESSION.entered } {
        Some(Entered::Tenant(id)) => Some(id),
        _ => None,
    }
}

/// Whether the last tenant that this session entered ended at once, with the statement that entered it.
pub fn ended_with_its_statement() -> bool {
    // SAFETY: one thread; a plain read.
    unsafe { ENDED_WITH_ITS_STATEMENT }
}

/// Whether the current tenant came with the login, and not by an entry of this transaction.
pub fn is_bound() -> bool {
    // SAFETY: one thread; a plain read.
    unsafe { CURRENT.bound }
}

/// The limits that came with the current tenant.
pub fn limits() -> Limits {
    // SAFETY: one thread; a copy.
    unsafe { CURRENT.limits }
}

/// Whether the current tenant id has a value of the type that this reader returns.
pub fn has_value(reader: Reader) -> bool {
    // SAFETY: one thread; plain reads.
    unsafe {
        match reader {
            Reader::Uuid => CURRENT.has_uuid,
            Reader::Bigint => CURRENT.has_bigint,
            Reader::Text => CURRENT.has_id,
        }
    }
}

/// Makes this what the transaction has entered, until it or the savepoint it stands in ends.
pub fn set(entered: Entered, limits: Limits) {
    // SAFETY: one thread. Should set_local raise, WRITING stays set; nothing but this function reaches the check hook
    // with a value of a session, except a superuser's SET to the very tenant that was being entered.
    unsafe {
        WRITING = Some((entered, limits));
        setting::set_local("pg_tenant.id", entered.as_str());
        WRITING = None;
    }
    folding::let_go();
}

/// The transaction is in nothing from now on: for [`test_mode`] alone.
pub fn leave() {
    setting::set_local("pg_tenant.id", "");
    folding::let_go();
}

impl Current {
    fn new(entered: Entered, bound: bool, limits: Limits) -> Self {
        let mut current = Current { entered: Some(entered), bound, limits, ..NO_TENANT };
        let Entered::Tenant(id) = entered else { return current };
        current.has_id = true;
        let text = id.as_str().as_bytes();
        current.text.header = ((text.len() as u32) + 4) << 2;
        current.text.bytes[..text.len()].copy_from_slice(text);
        if let Some(uuid) = id.uuid() {
            (current.uuid, current.has_uuid) = (uuid, true);
        }
        if let Some(bigint) = id.bigint() {
            (current.bigint, current.has_bigint) = (bigint, true);
        }
        current
    }
}

/// Parses a value of `pg_tenant.id` into the `extra` that the assign hook copies; refuses what nobody may write.
pub unsafe extern "C-unwind" fn check_hook(
    value: *mut *mut c_char,
    extra: *mut *mut c_void,
    source: GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes a valid value and a place for extra. Nothing here raises or needs dropping.
    unsafe {
        let text = if (*value).is_null() { c"" } else { std::ffi::CStr::from_ptr(*value) };
        if text.is_empty() {
            return true;
        }
        let Some(entered) = text.to_str().ok().and_then(Entered::from_setting) else { return false };
        let from_role = matches!(source, GucSource::PGC_S_USER | GucSource::PGC_S_DATABASE_USER);
        if from_role && replication::is_connection() {
            boundary::end_with(refusals::bound_in_replication());
        }
        let may_be_stored = matches!(entered, Entered::Tenant(_)) && (from_role || source == GucSource::PGC_S_TEST);
        let limits = match WRITING {
            Some((writing, limits)) if writing == entered && source == GucSource::PGC_S_SESSION => limits,
            _ if may_be_stored || pg_sys::InitializingParallelWorker => Limits::NONE,
            _ => {
                pg_sys::GUC_check_errhint_string = c"Enter a tenant with tenant.enter(), bind a role to one with \
                    tenant.bind_role()."
                    .as_ptr()
                    .cast_mut();
                return false;
            }
        };
        let place = setting::allocate_extra(size_of::<Current>()).cast::<Current>();
        if place.is_null() {
            return setting::refuse_for_memory();
        }
        place.write(Current::new(entered, from_role, limits));
        *extra = place.cast();
        true
    }
}

/// Copies the parsed value; nothing else.
pub unsafe extern "C-unwind" fn assign_hook(_: *const c_char, extra: *mut c_void) {
    // SAFETY: extra is null or a Current that the check hook wrote; one thread.
    unsafe {
        CURRENT = if extra.is_null() { NO_TENANT } else { *extra.cast::<Current>() };
        WRITTEN += 1;
        if CURRENT.bound {
            SESSION = CURRENT;
        }
    }
}

/// Ends the tenant, or the system context, with the transaction, whatever the stack of settings does after this.
unsafe extern "C-unwind" fn end_of_transaction(event: pg_sys::XactEvent::Type, _: *mut c_void) {
    use pg_sys::XactEvent::*;
    // A worker gets its leader's settings in a transaction of its own, which ends before the leader's query begins.
    if transaction::is_parallel_worker() {
        return;
    }
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        // SAFETY: one thread.
        unsafe {
            CURRENT = SESSION;
            if seal::sealed().is_some() {
                ENDED_WITH_ITS_STATEMENT = event == XACT_EVENT_COMMIT && !transaction::is_block();
            }
            WRITTEN += 1;
            WRITING = None;
        }
        owner::transaction_ended(event == XACT_EVENT_COMMIT);
        seal::clear();
        identity::clear();
        bound::forget();
    }
}

/// A savepoint that is undone takes the limits of a bound session with it: they are applied again.
unsafe extern "C-unwind" fn end_of_savepoint(
    event: pg_sys::SubXactEvent::Type,
    ended: pg_sys::SubTransactionId,
    _: pg_sys::SubTransactionId,
    _: *mut c_void,
) {
    match event {
        pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB => {
            bound::forget();
            owner::savepoint_undone();
            test_mode::savepoint_undone(ended);
        }
        // SAFETY: nothing to drop in this frame; the savepoint can still fail.
        pg_sys::SubXactEvent::SUBXACT_EVENT_PRE_COMMIT_SUB => unsafe {
            boundary::decide(test_mode::savepoint_released)
        },
        _ => {}
    }
}

/// Hands out the text as it is; every way of reading the setting by SQL comes here.
unsafe extern "C-unwind" fn show_hook() -> *const c_char {
    folding::touch();
    gucs::id()
}

/// Declares the setting and registers the callbacks.
pub fn init() {
    gucs::define_id(check_hook, assign_hook, show_hook);
    // SAFETY: called once, from _PG_init.
    unsafe {
        pg_sys::RegisterXactCallback(Some(end_of_transaction), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(end_of_savepoint), std::ptr::null_mut());
    }
}

/// Code of a function that policies call.
pub type Code = unsafe extern "C-unwind" fn(FunctionCallInfo) -> Datum;

/// The readers: their C symbol, what they return, their code. Policies are recognised by these, by [`FENCES`] and by
/// [`SHARED_FENCES`].
pub static READERS: [(&str, Reader, Code); 3] = [
    ("pg_tenant_current_uuid", Reader::Uuid, pg_tenant_current_uuid),
    ("pg_tenant_current_bigint", Reader::Bigint, pg_tenant_current_bigint),
    ("pg_tenant_current_id", Reader::Text, pg_tenant_current_id),
];

/// The forms of `tenant.is_current`, by the type of the tenant column, and the reader of the same type.
pub static FENCES: [(&str, Reader, Code); 5] = [
    ("pg_tenant_is_current_uuid", Reader::Uuid, pg_tenant_is_current_uuid),
    ("pg_tenant_is_current_bigint", Reader::Bigint, pg_tenant_is_current_bigint),
    ("pg_tenant_is_current_integer", Reader::Bigint, pg_tenant_is_current_integer),
    ("pg_tenant_is_current_smallint", Reader::Bigint, pg_tenant_is_current_smallint),
    ("pg_tenant_is_current_text", Reader::Text, pg_tenant_is_current_text),
];

/// The forms of `tenant.is_current_or_shared`.
pub static SHARED_FENCES: [(&str, Reader, Code); 5] = [
    ("pg_tenant_is_current_or_shared_uuid", Reader::Uuid, pg_tenant_is_current_or_shared_uuid),
    ("pg_tenant_is_current_or_shared_bigint", Reader::Bigint, pg_tenant_is_current_or_shared_bigint),
    ("pg_tenant_is_current_or_shared_integer", Reader::Bigint, pg_tenant_is_current_or_shared_integer),
    ("pg_tenant_is_current_or_shared_smallint", Reader::Bigint, pg_tenant_is_current_or_shared_smallint),
    ("pg_tenant_is_current_or_shared_text", Reader::Text, pg_tenant_is_current_or_shared_text),
];

/// `tenant.is_member`: its C symbol and its code.
pub static MEMBER: (&str, Code) = ("pg_tenant_is_member", pg_tenant_is_member);

macro_rules! reader {
    ($symbol:ident, $finfo:ident, $has:expr, $datum:expr) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> &'static pg_sys::Pg_finfo_record {
            &crate::pg::function::VERSION_1
        }

        /// Returns the current tenant, or null: nothing is allocated per row, so a scan filtered by it costs what a
        /// literal costs.
        ///
        /// # Safety
        /// Called by PostgreSQL's function manager.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: FunctionCallInfo) -> Datum {
            // SAFETY: one thread; fcinfo is valid during the call.
            unsafe {
                folding::touch();
                if $has {
                    $datum(fcinfo)
                } else {
                    (*fcinfo).isnull = true;
                    Datum::null()
                }
            }
        }
    };
}

reader!(pg_tenant_current_uuid, pg_finfo_pg_tenant_current_uuid, CURRENT.has_uuid, |fcinfo| copied(
    fcinfo,
    WRITTEN,
    &raw const CURRENT.uuid
));
reader!(pg_tenant_current_bigint, pg_finfo_pg_tenant_current_bigint, CURRENT.has_bigint, |_| Datum::from(
    CURRENT.bigint
));
reader!(pg_tenant_current_id, pg_finfo_pg_tenant_current_id, CURRENT.has_id, |fcinfo| copied(
    fcinfo,
    WRITTEN,
    &raw const CURRENT.text
));

/// A function and its form that takes a row of nobody for one that the current tenant may see.
macro_rules! fence {
    ($symbol:ident, $finfo:ident, $or_shared:ident, $or_shared_finfo:ident, $has:expr, $is_current:expr) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> &'static pg_sys::Pg_finfo_record {
            &crate::pg::function::VERSION_1
        }

        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $or_shared_finfo() -> &'static pg_sys::Pg_finfo_record {
            &crate::pg::function::VERSION_1
        }

        /// Whether this is the current tenant; false where there is none. Called for each row: nothing is allocated.
        ///
        /// # Safety
        /// Called by PostgreSQL's function manager; the SQL function is strict.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: FunctionCallInfo) -> Datum {
            // SAFETY: one thread; fcinfo has one argument of the declared type, not null.
            unsafe {
                let argument = (*fcinfo).args.as_ptr();
                folding::touch();
                Datum::from($has && $is_current((*argument).value))
            }
        }

        /// Whether this is the current tenant, or nobody, while there is a current tenant. Called for each row.
        ///
        /// # Safety
        /// Called by PostgreSQL's function manager.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $or_shared(fcinfo: FunctionCallInfo) -> Datum {
            // SAFETY: one thread; fcinfo has one argument of the declared type, which is read where it is not null.
            unsafe {
                let argument = (*fcinfo).args.as_ptr();
                folding::touch();
                Datum::from($has && ((*argument).isnull || $is_current((*argument).value)))
            }
        }
    };
}

fence!(
    pg_tenant_is_current_uuid,
    pg_finfo_pg_tenant_is_current_uuid,
    pg_tenant_is_current_or_shared_uuid,
    pg_finfo_pg_tenant_is_current_or_shared_uuid,
    CURRENT.has_uuid,
    |value: Datum| *value.cast_mut_ptr::<[u8; 16]>() == CURRENT.uuid
);
fence!(
    pg_tenant_is_current_bigint,
    pg_finfo_pg_tenant_is_current_bigint,
    pg_tenant_is_current_or_shared_bigint,
    pg_finfo_pg_tenant_is_current_or_shared_bigint,
    CURRENT.has_bigint,
    |value: Datum| value.value() as i64 == CURRENT.bigint
);
fence!(
    pg_tenant_is_current_integer,
    pg_finfo_pg_tenant_is_current_integer,
    pg_tenant_is_current_or_shared_integer,
    pg_finfo_pg_tenant_is_current_or_shared_integer,
    CURRENT.has_bigint,
    |value: Datum| i64::from(value.value() as i32) == CURRENT.bigint
);
fence!(
    pg_tenant_is_current_smallint,
    pg_finfo_pg_tenant_is_current_smallint,
    pg_tenant_is_current_or_shared_smallint,
    pg_finfo_pg_tenant_is_current_or_shared_smallint,
    CURRENT.has_bigint,
    |value: Datum| i64::from(value.value() as i16) == CURRENT.bigint
);
fence!(
    pg_tenant_is_current_text,
    pg_finfo_pg_tenant_is_current_text,
    pg_tenant_is_current_or_shared_text,
    pg_finfo_pg_tenant_is_current_or_shared_text,
    CURRENT.has_id,
    |value: Datum| bytes_of(value) == &CURRENT.text.bytes[..(CURRENT.text.header >> 2) as usize - 4]
);

#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tenant_is_member() -> &'static pg_sys::Pg_finfo_record {
    &crate::pg::function::VERSION_1
}

/// Its argument, while there is a current tenant. Called for each row.
///
/// # Safety
/// Called by PostgreSQL's function manager; the SQL function is strict.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn pg_tenant_is_member(fcinfo: FunctionCallInfo) -> Datum {
    // SAFETY: one thread; fcinfo has one argument, a boolean that is not null.
    unsafe {
        folding::touch();
        Datum::from(CURRENT.has_id && (*(*fcinfo).args.as_ptr()).value.value() != 0)
    }
}
