//! Our SQL functions, as PostgreSQL calls them: by hand, so that no pgrx wrapper stands between a user's statement and
//! our SQLSTATEs.

use crate::pg::report::{Outcome, Report};
use crate::pg::{boundary, preload};
use pg_tenant_core::Refusal;
use pg_tenant_token::Zeroizing;
use pgrx::pg_sys;

/// How many bytes of a text are read: whoever calls must not make us hold a gigabyte to say that it is no tenant id.
pub const LONGEST: i32 = 65_536;

/// The arguments of a call, read by position. A strict function has no null argument.
#[derive(Clone, Copy)]
pub struct Args(pg_sys::FunctionCallInfo);

/// What a function returns.
#[derive(Clone, Copy)]
pub enum Returned {
    Null,
    Void,
    Datum(pg_sys::Datum),
}

impl Args {
    /// The arguments of this call.
    ///
    /// # Safety
    /// `fcinfo` is valid while the arguments are read.
    pub unsafe fn of(fcinfo: pg_sys::FunctionCallInfo) -> Args {
        Args(fcinfo)
    }

    /// Whether the argument is null, in a function that is not strict, or not there.
    fn is_null(self, at: usize) -> bool {
        // SAFETY: as for a datum.
        unsafe { (*self.0).args.as_slice((*self.0).nargs as usize).get(at).is_none_or(|argument| argument.isnull) }
    }

    /// A `text` argument that may be null.
    pub fn text_opt(self, at: usize) -> Option<String> {
        (!self.is_null(at)).then(|| self.text(at))
    }

    /// A `boolean` argument; null is false, and so is one that the function does not have.
    pub fn boolean(self, at: usize) -> bool {
        !self.is_null(at) && self.datum(at).value() != 0
    }

    fn datum(self, at: usize) -> pg_sys::Datum {
        // SAFETY: PostgreSQL passes as many arguments as the SQL declaration names; each caller asks only for those.
        unsafe { (*self.0).args.as_slice((*self.0).nargs as usize)[at].value }
    }

    /// A `text` argument; of one that is longer than [`LONGEST`], the beginning, which is no id and no token either.
    pub fn text(self, at: usize) -> String {
        // SAFETY: the SQL declaration says text, so the datum is a varlena; the slice is detoasted, text_to_cstring copies.
        unsafe {
            let slice = pg_sys::pg_detoast_datum_slice(self.datum(at).cast_mut_ptr(), 0, LONGEST);
            let copy = pg_sys::text_to_cstring(slice.cast());
            let text = super::text::owned(copy);
            pg_sys::pfree(copy.cast());
            text
        }
    }

    /// A `text` argument that is ours, however long.
    pub fn whole_text(self, at: usize) -> String {
        // SAFETY: as for text.
        unsafe { super::text::owned(pg_sys::text_to_cstring(self.datum(at).cast_mut_ptr())) }
    }

    /// A `text` argument that is a secret, and may be null.
    pub fn secret_opt(self, at: usize) -> Option<Zeroizing<String>> {
        self.text_opt(at).map(Zeroizing::new)
    }

    /// The table whose trigger is being called, if this is a trigger's call.
    pub fn trigger_table(self) -> Option<pg_sys::Oid> {
        // SAFETY: the cast follows the check of the context's tag.
        unsafe {
            let context = (*self.0).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return None;
            }
            Some((*(*context.cast::<pg_sys::TriggerData>()).tg_relation).rd_id)
        }
    }

    /// A `bigint` argument.
    pub fn bigint(self, at: usize) -> i64 {
        self.datum(at).value() as i64
    }

    /// The values of a text column, never null, in the rows that a row trigger is called for: the old and the new one.
    pub fn trigger_texts(self, column: pg_sys::AttrNumber) -> Vec<String> {
        // SAFETY: as above; the tuples are of the trigger's table, or null.
        unsafe {
            let context = (*self.0).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return Vec::new();
            }
            let data = &*context.cast::<pg_sys::TriggerData>();
            let rows = [data.tg_trigtuple, data.tg_newtuple].into_iter().filter(|tuple| !tuple.is_null());
            rows.map(|tuple| {
                let mut isnull = false;
                let datum = pg_sys::heap_getattr(tuple, column.into(), (*data.tg_relation).rd_att, &mut isnull);
                super::text::owned(pg_sys::text_to_cstring(datum.cast_mut_ptr()))
            })
            .collect()
        }
    }

    /// A `smallint` argument.
    pub fn smallint(self, at: usize) -> i16 {
        self.datum(at).value() as i16
    }

    /// A `text` argument as it was passed.
    pub fn text_datum(self, at: usize) -> pg_sys::Datum {
        self.datum(at)
    }

    /// An `oid` or `regclass` argument.
    pub fn oid(self, at: usize) -> pg_sys::Oid {
        pg_sys::Oid::from(self.datum(at).value() as u32)
    }
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
        let outcome = boundary::decide(|| preloaded().and_then(|()| body(Args(fcinfo))));
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

/// Exports `$symbol` as a SQL function whose body is the safe function `$body`, declared in `sql/schema/` as
/// `language c as 'MODULE_PATHNAME', '$symbol'`.
#[macro_export]
macro_rules! sql_function {
    ($symbol:ident, $finfo:ident, $body:path) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> &'static pgrx::pg_sys::Pg_finfo_record {
            &$crate::pg::function::VERSION_1
        }

        /// # Safety
        /// Called by PostgreSQL's function manager.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            // SAFETY: fcinfo comes from the function manager.
            unsafe { $crate::pg::function::call(fcinfo, $body) }
        }
    };
}

/// Exports `$symbol` as a SQL function that answers in the place of another: `$decides` says how.
#[macro_export]
macro_rules! sql_function_answering {
    ($symbol:ident, $finfo:ident, $decides:path) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> &'static pgrx::pg_sys::Pg_finfo_record {
            &$crate::pg::function::VERSION_1
        }

        /// # Safety
        /// Called by PostgreSQL's function manager.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            // SAFETY: fcinfo comes from the function manager.
            unsafe { $crate::pg::answering::answer(fcinfo, $decides) }
        }
    };
}

/// Exports `$symbol` as a SQL function that calls `tenant.$name` with the guards off.
#[macro_export]
macro_rules! sql_function_without_guards {
    ($symbol:ident, $finfo:ident, $name:literal) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> &'static pgrx::pg_sys::Pg_finfo_record {
            &$crate::pg::function::VERSION_1
        }

        /// # Safety
        /// Called by PostgreSQL's function manager.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            let name = $name;
            // SAFETY: fcinfo comes from the function manager.
            unsafe { $crate::pg::call::without_guards(fcinfo, name) }
        }
    };
}
