//! SQL functions that answer out of what this backend remembers, and ask another SQL function where it remembers
//! nothing.

use crate::pg::function::{self, Args, Returned};
use crate::pg::report::Outcome;
use crate::pg::{boundary, call, text};
use pgrx::pg_sys::{self, Datum, NullableDatum};

/// What was decided. Nothing in it is to be dropped.
#[derive(Clone, Copy)]
pub enum Step {
    Answer(Returned),
    /// Ask the function with this oid, which takes one text and gives one.
    Ask(pg_sys::Oid, Datum),
}

/// A text as an argument of the function that is asked.
pub fn argument(value: &str) -> Datum {
    Returned::text(value).datum()
}

/// Runs the body of such a function. What is asked sees what is committed now, whatever the transaction's snapshot is;
/// not within a parallel query, where PostgreSQL gives no other snapshot: `take` is told.
///
/// # Safety
/// Called by PostgreSQL's function manager with its own `fcinfo`.
pub unsafe fn run(
    fcinfo: pg_sys::FunctionCallInfo,
    decide: fn(Args) -> Outcome<Step>,
    take: fn(Args, Option<String>, bool) -> Outcome<Returned>,
) -> Datum {
    // SAFETY: the frame holds only Copy data. The call is bare: PostgreSQL's errors pass through as they are, and the
    // end of the transaction or savepoint takes the snapshot back.
    unsafe {
        let step = boundary::decide_or_raise(|| function::preloaded().and_then(|()| decide(Args::of(fcinfo))));
        let (function, argument) = match step {
            Step::Answer(returned) => return returned.give(fcinfo),
            Step::Ask(function, argument) => (function, argument),
        };
        let latest = boundary::decide(|| {
            let latest = !pg_sys::IsInParallelMode();
            if latest {
                pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
            }
            latest
        });
        let argument = NullableDatum { value: argument, isnull: false };
        let asked = boundary::decide(|| call::new_call(function, &[argument]));
        let answer = (*(*asked).flinfo).fn_addr.map_or(Datum::null(), |body| body(asked));
        let returned = boundary::decide_or_raise(|| {
            if latest {
                pg_sys::PopActiveSnapshot();
            }
            let told = (!(*asked).isnull).then(|| text::owned(pg_sys::text_to_cstring(answer.cast_mut_ptr())));
            take(Args::of(fcinfo), told, latest)
        });
        returned.give(fcinfo)
    }
}

/// Exports `$symbol` as a SQL function that does what `$decides` says, and `$takes` what was asked for.
#[macro_export]
macro_rules! sql_function_asking {
    ($symbol:ident, $finfo:ident, $decides:path, $takes:path) => {
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
            unsafe { $crate::pg::asking::run(fcinfo, $decides, $takes) }
        }
    };
}
