//! Every setting, and why it exists. The prefix `pg_tenant` is reserved: a misspelt setting is an error.

use pgrx::pg_sys;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};
use std::ffi::{CStr, c_char};

/// What happens to a statement that touches a protected table with no tenant.
#[derive(Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
#[allow(non_camel_case_types, missing_docs)]
pub enum Strict {
    on,
    log,
    off,
}

/// Why a superuser sets it: `log` finds the statements that would be refused before they are. Policies still apply in
/// every mode, so what is not refused sees no row.
static STRICT: GucSetting<Strict> = GucSetting::<Strict>::new(Strict::on);

/// Why a superuser sets it: tenants that are kept in another system only.
static REQUIRE_REGISTERED: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Why a superuser sets it: maintenance that must change a policy, such as `pg_restore --clean`. Our own functions turn
/// it off for their own commands.
static GUARDS: GucSetting<bool> = GucSetting::<bool>::new(true);

/// Where PostgreSQL keeps the text of `pg_tenant.id`; the parsed value is in [`crate::context::slot`].
static mut ID: *mut c_char = std::ptr::null_mut();

/// `pg_tenant.strict`.
pub fn strict() -> Strict {
    STRICT.get()
}

/// `pg_tenant.require_registered`.
pub fn require_registered() -> bool {
    REQUIRE_REGISTERED.get()
}

/// `pg_tenant.guards`.
pub fn guards() -> bool {
    GUARDS.get()
}

/// Declares every setting but `pg_tenant.id`, which [`crate::context::slot::init`] declares with its hooks.
pub fn init() {
    let (context, flags) = (GucContext::Suset, GucFlags::empty());
    GucRegistry::define_enum_guc(
        c"pg_tenant.strict",
        c"What happens to a statement that touches a protected table with no tenant.",
        c"on refuses it, log warns, off says nothing. Policies apply in every mode.",
        &STRICT,
        context,
        flags,
    );
    let (context, flags) = (GucContext::Suset, GucFlags::empty());
    GucRegistry::define_bool_guc(
        c"pg_tenant.require_registered",
        c"Only tenants in the registry can be entered.",
        c"When off, unknown tenants can be entered too; suspended ones still cannot.",
        &REQUIRE_REGISTERED,
        context,
        flags,
    );
    let (context, flags) = (GucContext::Suset, GucFlags::empty());
    GucRegistry::define_bool_guc(
        c"pg_tenant.guards",
        c"Commands that would weaken the protection of a table are refused.",
        c"Turn it off for maintenance, in one session and for as long as it takes.",
        &GUARDS,
        context,
        flags,
    );
}

/// Declares `pg_tenant.id`.
///
/// `PGC_SUSET`, so that nobody but a superuser can name it in SET, `set_config`, a function's SET clause, a startup
/// option or ALTER ROLE; nor RESET it. RESET ALL leaves it, and no file sets it. Not `GUC_NO_RESET` (from 16): that
/// refuses ALTER ROLE … RESET as well, so no role could be unbound.
pub fn define_id(
    check: unsafe extern "C-unwind" fn(*mut *mut c_char, *mut *mut std::ffi::c_void, pg_sys::GucSource::Type) -> bool,
    assign: unsafe extern "C-unwind" fn(*const c_char, *mut std::ffi::c_void),
) {
    let flags = pg_sys::GUC_NO_RESET_ALL | pg_sys::GUC_DISALLOW_IN_FILE | pg_sys::GUC_DISALLOW_IN_AUTO_FILE;
    let text: fn(&'static CStr) -> *const c_char = CStr::as_ptr;
    // SAFETY: called once, from _PG_init; the texts and the variable are static, the hooks follow PostgreSQL's rules
    // for hooks (see slot.rs).
    unsafe {
        pg_sys::DefineCustomStringVariable(
            text(c"pg_tenant.id"),
            text(c"The tenant of this transaction."),
            text(c"Written by tenant.enter() only."),
            &raw mut ID,
            text(c""),
            pg_sys::GucContext::PGC_SUSET,
            flags as i32,
            Some(check),
            Some(assign),
            None,
        );
    }
}

/// Reserves the prefix; after every setting is declared.
pub fn reserve_prefix() {
    // SAFETY: called once, from _PG_init.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"pg_tenant".as_ptr()) };
}
