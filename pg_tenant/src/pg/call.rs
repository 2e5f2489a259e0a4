//! Calls SQL functions from Rust.

use crate::pg::{boundary, function, proc, raw, setting};
use pgrx::pg_sys;

/// Calls the SQL function `tenant_internal.<name>`, which takes the same arguments, with the guards off until it
/// returns or fails. Nobody may execute that function but through here.
///
/// # Safety
/// Called by PostgreSQL's function manager with its own `fcinfo`.
pub unsafe fn without_guards(fcinfo: pg_sys::FunctionCallInfo, name: &'static str) -> pg_sys::Datum {
    // SAFETY: the frame holds only Copy data. The call is bare: users' errors pass through it as they are, and then the
    // abort of the transaction or savepoint ends the nest level as it does for a function's SET clause.
    unsafe {
        let call =
            boundary::decide_or_raise(|| function::preloaded().map(|()| same_call_of(proc::internal(name), fcinfo)));
        let level = raw::NewGUCNestLevel();
        boundary::decide(|| setting::set_until_function_ends("pg_tenant.guards", "off"));
        let result = (*(*call).flinfo).fn_addr.map_or(pg_sys::Datum::null(), |body| body(call));
        raw::AtEOXact_GUC(true, level);
        result
    }
}

/// A call of another function with the same arguments, null or not. Made within [`boundary::decide`], since it
/// allocates and looks the function up.
///
/// # Safety
/// `fcinfo` is a call.
pub unsafe fn same_call_of(function: pg_sys::Oid, fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::FunctionCallInfo {
    // SAFETY: the caller's promise.
    unsafe {
        let count = usize::try_from((*fcinfo).nargs).unwrap_or(0);
        new_call(function, (*fcinfo).args.as_slice(count))
    }
}

/// Calls the SQL function `tenant_internal.<name>(regclass, regclass)`, whoever may execute it.
///
/// # Safety
/// Called where PostgreSQL may raise an error, with nothing to drop in the caller's frame.
pub unsafe fn with_tables(name: &'static str, first: pg_sys::Oid, second: pg_sys::Oid) {
    let value = |oid: pg_sys::Oid| pg_sys::NullableDatum { value: oid.into(), isnull: false };
    // SAFETY: the frame holds only Copy data; the call is bare, so errors pass through it as they are.
    unsafe {
        let call = boundary::decide(|| new_call(proc::of_tables(name), &[value(first), value(second)]));
        (*(*call).flinfo).fn_addr.map(|body| body(call));
    }
}

/// A call of a function with these arguments, null or not; likewise.
///
/// # Safety
/// The arguments are of the function's types.
pub unsafe fn new_call(function: pg_sys::Oid, arguments: &[pg_sys::NullableDatum]) -> pg_sys::FunctionCallInfo {
    // SAFETY: a call ends in its arguments, so its size is that of the record and of all of them; palloc'ed memory
    // outlives the call, and fmgr_info fills the record of the function or raises.
    unsafe {
        let size = size_of::<pg_sys::FunctionCallInfoBaseData>() + size_of_val(arguments);
        let call = pg_sys::palloc0(size).cast::<pg_sys::FunctionCallInfoBaseData>();
        let flinfo = pg_sys::palloc0(size_of::<pg_sys::FmgrInfo>()).cast::<pg_sys::FmgrInfo>();
        pg_sys::fmgr_info(function, flinfo);
        ((*call).flinfo, (*call).nargs) = (flinfo, i16::try_from(arguments.len()).unwrap_or(0));
        (*call).args.as_mut_slice(arguments.len()).copy_from_slice(arguments);
        call
    }
}
