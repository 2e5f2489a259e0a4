//! Commands, before and after PostgreSQL runs them.

use super::executor::begin_bound;
use crate::guard::utility::{self, Then};
use crate::guard::{create, referential, temporary};
use crate::pg::backend_cell::BackendCell;
use crate::pg::boundary::decide_or_raise;
use crate::pg::{call, command, raw, transaction, versions};
use crate::stats;
use pgrx::pg_sys;
use std::ffi::c_char;

static PREVIOUS: BackendCell<pg_sys::ProcessUtility_hook_type> = BackendCell::new(None);

pub(super) fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        PREVIOUS.set(pg_sys::ProcessUtility_hook);
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        let node = (*statement).utilityStmt;
        if pg_sys::PlannedStmtRequiresSnapshot(statement) {
            begin_bound(false);
        }
        referential::starting(false);
        let then = decide_or_raise(|| utility::judge(command::read(node)));
        let commits_prepared = command::commits_prepared(node);
        let here = 0;
        let counted = stats::counts() && command::is_statement(node);
        let measured = counted && stats::begins(&here);
        let around = temporary::begins(command::ends_with_transaction(node, context));
        match PREVIOUS.get() {
            Some(previous) => {
                previous(statement, query, read_only_tree, context, params, environment, destination, completion)
            }
            None => raw::standard_ProcessUtility(
                statement,
                query,
                read_only_tree,
                context,
                params,
                environment,
                destination,
                completion,
            ),
        }
        temporary::ended(around);
        if counted {
            stats::started(pg_sys::CmdType::CMD_UTILITY);
            if command::is_copy_from(node) && !completion.is_null() {
                stats::ran(pg_sys::CmdType::CMD_INSERT, (*completion).nprocessed);
            }
        }
        if measured {
            stats::ends(stats::Outer::Execution, 0);
        }
        if commits_prepared {
            versions::prepared_committed();
        }
        // A procedure that ends its transaction with an error leaves none to read catalogs in.
        if then != Then::Nothing && transaction::is_live() {
            // Of a part of a command, the whole is asked.
            let whole = context != pg_sys::ProcessUtilityContext::PROCESS_UTILITY_SUBCOMMAND;
            decide_or_raise(|| utility::check(then, whole));
            match then {
                Then::Complete => complete(node),
                Then::Moved(table) => decide_or_raise(|| create::moved(table)),
                Then::Check | Then::Forget | Then::ChangedRole(_) | Then::Nothing => {}
            }
        }
    }
}

/// The command is through: what it has put below a protected table gets its parent's protection.
///
/// # Safety
/// The argument is PostgreSQL's own, valid during the call; nothing to drop in the caller's frame.
unsafe fn complete(node: *mut pg_sys::Node) {
    // SAFETY: the statement is still there; the frame holds only Copy data across the bare calls.
    unsafe {
        match decide_or_raise(|| command::new_child(node).map_or(Ok(create::Todo::Nothing), create::complete)) {
            create::Todo::Nothing => {}
            create::Todo::Protect { table, parent } => {
                call::with_tables("protect_newcomer", table, parent);
            }
            create::Todo::Look { relation } => {
                call::with_tables("warn_of_newcomer", relation, relation);
            }
        }
    }
}
