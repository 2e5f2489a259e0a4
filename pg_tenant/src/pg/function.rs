//! Our SQL functions, as PostgreSQL calls them: by hand, so that no pgrx wrapper stands between a user's statement and
//! our SQLSTATEs.

pub use crate::pg::arguments::Args;
use crate::pg::report::{Outcome, Report};
use crate::pg::{boundary, preload};
use pg_tenant_core::Refusal;
use pgrx::pg_sys;

/// What a function returns.
#[derive(Clone, Copy)]
pub enum Returned {
    Null,
    Void,
    Datum(pg_sys::Datum),
}

impl Returned {
    /// Returns it to the function manager.
    ///
    /// # Safety
    /// `fcinfo` is that of the running call.
    pub unsafe fn give(self, fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
        match self {
            Returned::Datum(datum) => datum,
            Returned::Void => pg_sys::Datum::null(),
            Returned::Null => {
                // SAFETY: the caller's promise.
                unsafe { (*fcinfo).isnull = true };
                pg_sys::Datum::null()
            }
        }
    }

    /// A `text` value.
    pub fn text(text: &str) -> Returned {
        let (bytes, len) = (text.as_bytes(), i32::try_from(text.len()).unwrap_or(0));
        // SAFETY: the bytes live during the call, which copies them into the current memory context.
        Returned::Datum(unsafe { pg_sys::cstring_to_text_with_len(bytes.as_ptr().cast(), len) }.into())
    }

    /// An `oid`.
    pub fn oid(value: pg_sys::Oid) -> Returned {
        Returned::Datum(value.into())
    }

    /// A `boolean`.
    pub fn boolean(value: bool) -> Returned {
        Returned::Datum(pg_sys::Datum::from(value))
    }

    /// The value itself; of null and void, zero.
    pub fn datum(self) -> pg_sys::Datum {
        match self {
            Returned::Datum(datum) => datum,
            Returned::Null | Returned::Void => pg_sys::Datum::null(),
        }
    }

    /// A `bigint`.
    pub fn bigint(value: i64) -> Returned {
        Returned::Datum(pg_sys::Datum::from(value))
    }

    /// A `smallint`.
    pub fn smallint(value: i16) -> Returned {
        Returned::Datum(pg_sys::Datum::from(value))
    }
}

/// Runs the body of a SQL function.
///
/// # Safety
/// Called by PostgreSQL's function manager with its own `fcinfo`.
pub unsafe fn call(fcinfo: pg_sys::FunctionCallInfo, body: fn(Args) -> Outcome<Returned>) -> pg_sys::Datum {
    // SAFETY: the frame holds only Copy data; fcinfo is valid for the call.
    unsafe {
        boundary::forget_log();
        let outcome = boundary::decide(|| preloaded().and_then(|()| body(Args::of(fcinfo))));
        boundary::write_log();
        match outcome {
            Ok(returned) => returned.give(fcinfo),
            Err(report) => boundary::raise(report),
        }
    }
}

/// Refuses (`TN010`) where the hooks are not in place.
pub fn preloaded() -> Outcome<()> {
    if preload::is_done() {
        return Ok(());
    }
    Err(Report::new(Refusal::NotPreloaded, "pg_tenant is not preloaded")
        .detail("Its hooks are not in place, so nothing of it can be relied on.")
        .hint("Add pg_tenant to shared_preload_libraries in postgresql.conf and restart the server."))
}

/// The record with which PostgreSQL recognises a version-1 function.
pub static VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
