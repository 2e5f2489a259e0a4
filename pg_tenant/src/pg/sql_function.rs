//! Macros that export our SQL functions. They stand apart from what a function is, since they name each way to run one.

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
