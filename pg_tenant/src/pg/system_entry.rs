//! Entering the system context: decide, write the journal, take the role, write the server's log.

use crate::context::owner;
use crate::context::system::{self, Entry};
use crate::pg::function::{self, Args};
use crate::pg::report::Outcome;
use crate::pg::{boundary, call, proc};
use pgrx::pg_sys::{self, Datum};

/// The body of a SQL function `(reason text, write boolean)` or `(reason text)`; `journal` takes the same arguments.
///
/// # Safety
/// Called by PostgreSQL's function manager with its own `fcinfo`, of such arguments.
pub unsafe fn enter(
    fcinfo: pg_sys::FunctionCallInfo,
    admit: fn(Option<&str>, bool) -> Outcome<Entry>,
    journal: &'static str,
) -> Datum {
    // SAFETY: the frame holds only Copy data. The call that writes the journal is bare: PostgreSQL's errors pass through
    // as they are, and like that of the log's line, which checks for interrupts, end the transaction or savepoint.
    unsafe {
        let entry = boundary::decide_or_raise(|| {
            function::preloaded()?;
            let args = Args::of(fcinfo);
            admit(args.text_opt(0).as_deref(), args.boolean(1))
        });
        if entry.journal {
            let call = boundary::decide(|| call::same_call_of(proc::in_tenant(journal), fcinfo));
            let _ = (*(*call).flinfo).fn_addr.map(|body| body(call));
        }
        boundary::decide(|| system::take(entry));
        boundary::log(entry.log);
        Datum::null()
    }
}

macro_rules! entry {
    ($symbol:ident, $finfo:ident, $admit:path, $journal:literal) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> &'static pg_sys::Pg_finfo_record {
            &function::VERSION_1
        }

        /// # Safety
        /// Called by PostgreSQL's function manager.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
            // SAFETY: fcinfo comes from the function manager; the SQL declaration has the journal's arguments.
            unsafe { enter(fcinfo, $admit, $journal) }
        }
    };
}

entry!(pg_tenant_enter_system, pg_finfo_pg_tenant_enter_system, system::admit, "journal_system");
entry!(
    pg_tenant_enter_system_pristine,
    pg_finfo_pg_tenant_enter_system_pristine,
    system::admit_pristine,
    "journal_system"
);
entry!(
    pg_tenant_enter_system_as_owner,
    pg_finfo_pg_tenant_enter_system_as_owner,
    owner::admit,
    "journal_system_as_owner"
);
