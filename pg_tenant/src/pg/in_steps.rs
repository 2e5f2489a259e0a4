//! SQL functions that decide, write the journal with another SQL function, act, and write the server's log, in this
//! order.

use crate::pg::function::{self, Args, Returned};
use crate::pg::report::Outcome;
use crate::pg::text::CText;
use crate::pg::{boundary, call, proc};
use pgrx::pg_sys::{self, Datum};

/// What was decided. Nothing in it is to be dropped.
#[derive(Clone, Copy)]
pub struct Steps<T> {
    /// The function of the schema `tenant` that writes the journal; it takes the same arguments.
    pub journal: Option<&'static str>,
    pub act: T,
    /// The line of the server's log.
    pub log: Option<CText>,
}

/// Runs the body of such a function.
///
/// # Safety
/// Called by PostgreSQL's function manager with its own `fcinfo`; the function that writes the journal is declared with
/// the same arguments.
pub unsafe fn run<T: Copy>(
    fcinfo: pg_sys::FunctionCallInfo,
    decide: fn(Args) -> Outcome<Steps<T>>,
    act: fn(T) -> Outcome<Returned>,
) -> Datum {
    // SAFETY: the frame holds only Copy data. The call that writes the journal is bare: PostgreSQL's errors pass
    // through as they are, and like that of the log's line, which checks for interrupts, end the transaction or
    // savepoint.
    unsafe {
        let steps = boundary::decide_or_raise(|| function::preloaded().and_then(|()| decide(Args::of(fcinfo))));
        if let Some(journal) = steps.journal {
            let call = boundary::decide(|| call::same_call_of(proc::internal(journal), fcinfo));
            let _ = (*(*call).flinfo).fn_addr.map(|body| body(call));
        }
        let returned = boundary::decide_or_raise(|| act(steps.act));
        if let Some(line) = steps.log {
            boundary::log(line);
        }
        returned.give(fcinfo)
    }
}

/// Exports `$symbol` as a SQL function that does what `$decides` says, and then `$acts`.
#[macro_export]
macro_rules! sql_function_in_steps {
    ($symbol:ident, $finfo:ident, $decides:path, $acts:path) => {
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
            // SAFETY: fcinfo comes from the function manager; the SQL declaration has the journal's arguments.
            unsafe { $crate::pg::in_steps::run(fcinfo, $decides, $acts) }
        }
    };
}
