//! All hook chaining. A hook decides, calls the previous hook (or PostgreSQL's own function) exactly once, and checks.
//!
//! The previous hook is a bare call outside any guard: users' errors pass through these frames by longjmp with their
//! SQLSTATE, CONTEXT and constraint names intact. So a hook's frame never holds anything to drop across that call.

use crate::context::{bound, limits, locks, seal, slot, system};
use crate::guard::changed::{self, Done};
use crate::guard::{
    create, dropped, fence, folded, function, hidden, login, messages, ready, referential, residue, role_change,
    strict, temporary, truncate, utility, weakened,
};
use crate::pg::boundary::{decide, decide_or_raise, warn};
use crate::pg::command;
use crate::pg::foreign_key::CONSTRAINT;
use crate::pg::policy::POLICY;
use crate::pg::security::Saved;
use crate::pg::{call, folding, hiding, list, plans, proc, raw, replication, transaction};
use crate::policy::protection;
use pgrx::pg_sys::{self, List, ObjectAccessType, Oid, QueryDesc, ScanDirection};
use std::ffi::{c_char, c_int, c_void};
use strict::{Touched, Verdict};
use utility::Then;

/// The catalog `pg_parameter_acl`.
const PARAMETER: Oid = Oid::from_u32(6243);

static mut PREVIOUS_UTILITY: pg_sys::ProcessUtility_hook_type = None;
static mut PREVIOUS_CHECK_PERMS: pg_sys::ExecutorCheckPerms_hook_type = None;
static mut PREVIOUS_START: pg_sys::ExecutorStart_hook_type = None;
static mut PREVIOUS_RUN: pg_sys::ExecutorRun_hook_type = None;
static mut PREVIOUS_OBJECT_ACCESS: pg_sys::object_access_hook_type = None;
static mut PREVIOUS_PARAMETER_ACCESS: pg_sys::object_access_hook_type_str = None;
static mut PREVIOUS_NEEDS_CALL_HOOK: pg_sys::needs_fmgr_hook_type = None;
static mut PREVIOUS_CALL_HOOK: pg_sys::fmgr_hook_type = None;
static mut PREVIOUS_PLANNER: pg_sys::planner_hook_type = None;
static mut PREVIOUS_AUTHENTICATION: raw::ClientAuthenticationHook = None;

/// Puts our hooks in front of those that are there.
pub fn init() {
    // SAFETY: called once, from _PG_init, in the postmaster's one thread.
    unsafe {
        PREVIOUS_UTILITY = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
        PREVIOUS_CHECK_PERMS = pg_sys::ExecutorCheckPerms_hook;
        pg_sys::ExecutorCheckPerms_hook = Some(check_perms);
        PREVIOUS_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(executor_start);
        PREVIOUS_RUN = pg_sys::ExecutorRun_hook;
        pg_sys::ExecutorRun_hook = Some(executor_run);
        PREVIOUS_OBJECT_ACCESS = pg_sys::object_access_hook;
        pg_sys::object_access_hook = Some(object_access);
        PREVIOUS_PARAMETER_ACCESS = pg_sys::object_access_hook_str;
        pg_sys::object_access_hook_str = Some(parameter_access);
        PREVIOUS_NEEDS_CALL_HOOK = pg_sys::needs_fmgr_hook;
        pg_sys::needs_fmgr_hook = Some(needs_call_hook);
        PREVIOUS_CALL_HOOK = pg_sys::fmgr_hook;
        pg_sys::fmgr_hook = Some(function_called);
        PREVIOUS_PLANNER = pg_sys::planner_hook;
        pg_sys::planner_hook = Some(planner);
        PREVIOUS_AUTHENTICATION = raw::ClientAuthentication_hook;
        raw::ClientAuthentication_hook = Some(client_authentication);
        pg_sys::RegisterXactCallback(Some(end_of_transaction), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(end_of_savepoint), std::ptr::null_mut());
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
        let around = temporary::begins(command::ends_with_transaction(node, context));
        match PREVIOUS_UTILITY {
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
unsafe fn complete(node: *mut pg_sys::Node) {
    // SAFETY: the statement is still there; the frame holds only Copy data across the bare calls.
    unsafe {
        match decide_or_raise(|| command::newcomer(node).map_or(Ok(create::Todo::Nothing), create::complete)) {
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

/// The signature is `(range table, raise)` on 15 and `(range table, permission infos, raise)` from 16.
#[cfg(feature = "pg15")]
unsafe extern "C-unwind" fn check_perms(range_table: *mut List, may_raise: bool) -> bool {
    // SAFETY: PostgreSQL's own arguments. Nothing to drop in this frame.
    unsafe {
        judge(range_table, may_raise)
            && match PREVIOUS_CHECK_PERMS {
                Some(previous) => previous(range_table, may_raise),
                None => true,
            }
    }
}

#[cfg(not(feature = "pg15"))]
unsafe extern "C-unwind" fn check_perms(range_table: *mut List, infos: *mut List, may_raise: bool) -> bool {
    // SAFETY: PostgreSQL's own arguments. Nothing to drop in this frame.
    unsafe {
        judge(infos, may_raise)
            && match PREVIOUS_CHECK_PERMS {
                Some(previous) => previous(range_table, infos, may_raise),
                None => true,
            }
    }
}

unsafe fn judge(entries: *mut List, may_raise: bool) -> bool {
    // SAFETY: the entries are a list of the major's kind, valid during the call; a verdict is Copy.
    unsafe {
        let count = list::length(entries);
        match decide_or_raise(|| strict::judge((0..count).filter_map(|at| touched(entries, at)), may_raise)) {
            Verdict::Pass => true,
            Verdict::No => false,
            Verdict::Warn(report) => {
                warn(report);
                true
            }
        }
    }
}

/// The relation of an entry, where the statement needs a right on it.
unsafe fn touched(entries: *mut List, at: usize) -> Option<Touched> {
    // SAFETY: `at` is within the list; on 15 the entries are range table entries, from 16 permission infos.
    unsafe {
        let entry = (*(*entries).elements.add(at)).ptr_value;
        #[cfg(feature = "pg15")]
        {
            let entry = &*entry.cast::<pg_sys::RangeTblEntry>();
            let relation = entry.rtekind == pg_sys::RTEKind::RTE_RELATION && entry.requiredPerms != 0;
            relation.then_some(Touched {
                relation: entry.relid,
                as_user: entry.checkAsUser,
                writes: writes(entry.requiredPerms.into()),
            })
        }
        #[cfg(not(feature = "pg15"))]
        {
            let entry = &*entry.cast::<pg_sys::RTEPermissionInfo>();
            (entry.requiredPerms != 0).then_some(Touched {
                relation: entry.relid,
                as_user: entry.checkAsUser,
                writes: writes(entry.requiredPerms),
            })
        }
    }
}

/// What is asked of a statement in a read-only transaction too: any right but SELECT.
fn writes(rights: u64) -> bool {
    rights & !u64::from(pg_sys::ACL_SELECT) != 0
}

/// Before PostgreSQL asks whether a statement may write: a bound role's first one finds its limits in force, and a
/// read-only system context is that.
unsafe extern "C-unwind" fn executor_start(query: *mut QueryDesc, flags: c_int) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        begin_bound((*(*query).plannedstmt).parallelModeNeeded);
        referential::starting(flags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as c_int != 0);
        // Partitions are pruned here already, by casts that may be users'.
        let saved = enter_referential();
        let before = ready::count();
        match PREVIOUS_START {
            Some(previous) => previous(query, flags),
            None => raw::standard_ExecutorStart(query, flags),
        }
        referential::leave(saved);
        if ready::is_noting(before) {
            decide(|| ready::started(query, before));
        }
    }
}

/// Where the registry refuses, the permission check says so, for protected tables only; but a worker cannot ask, so none
/// is started then.
unsafe fn begin_bound(workers: bool) {
    if !transaction::is_parallel_worker() {
        // SAFETY: the caller's frame holds nothing to drop.
        unsafe {
            decide_or_raise(|| {
                folded::begin_statement();
                system::keep_read_only();
                bound::admit().or_else(|report| if workers { Err(report) } else { Ok(()) })
            })
        }
    }
}

/// After each run: `set_config` in an expression is no command, and raises a limit all the same.
#[cfg(not(feature = "pg18"))]
unsafe extern "C-unwind" fn executor_run(
    query: *mut QueryDesc,
    direction: ScanDirection::Type,
    count: u64,
    execute_once: bool,
) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        let around = resume(query);
        note_folded(query);
        let saved = enter_referential();
        match PREVIOUS_RUN {
            Some(previous) => previous(query, direction, count, execute_once),
            None => raw::standard_ExecutorRun(query, direction, count, execute_once),
        }
        referential::leave(saved);
        ready::has_run(around);
        after_run();
    }
}

#[cfg(feature = "pg18")]
unsafe extern "C-unwind" fn executor_run(query: *mut QueryDesc, direction: ScanDirection::Type, count: u64) {
    // SAFETY: as above.
    unsafe {
        let around = resume(query);
        note_folded(query);
        let saved = enter_referential();
        match PREVIOUS_RUN {
            Some(previous) => previous(query, direction, count),
            None => raw::standard_ExecutorRun(query, direction, count),
        }
        referential::leave(saved);
        ready::has_run(around);
        after_run();
    }
}

/// What a value is computed from. The caller's frame holds nothing to drop.
unsafe fn note_folded(query: *mut QueryDesc) {
    if folding::is_running() {
        // SAFETY: the caller's promise, and PostgreSQL's own query.
        unsafe { decide(|| folded::runs(folding::tables(query))) }
    }
}

/// A query begins to run, or goes on, perhaps in another context than it was made ready in; gives what ran around it.
unsafe fn resume(query: *mut QueryDesc) -> Option<Oid> {
    let held = ready::held(query);
    if let Some(function) = held.filter(|_| slot::is_set()) {
        // SAFETY: the caller's frame holds nothing to drop.
        unsafe { decide_or_raise(|| function::in_tenant(function)) }
    }
    ready::runs(held)
}

unsafe fn after_run() {
    let limits = bound::limits_in_force();
    if limits != limits::Limits::NONE && !transaction::is_parallel_worker() {
        // SAFETY: the caller's frame holds nothing to drop.
        unsafe { decide_or_raise(|| limits::check(limits)) }
    }
    // SAFETY: likewise.
    unsafe { judge_messages() };
}

/// Where the client would hear the server's log. The caller's frame holds nothing to drop.
unsafe fn judge_messages() {
    if messages::are_heard() {
        // SAFETY: the caller's promise.
        unsafe { decide_or_raise(messages::judge) };
    }
}

/// Within a foreign key's query, catalogs are read, which may fail.
fn enter_referential() -> Option<Saved> {
    // SAFETY: the callers' frames hold nothing to drop.
    if referential::is_running() { unsafe { decide(referential::enter) } } else { None }
}

/// Within a foreign key's query, immutable functions run while it is planned. `debug_print_plan` speaks after this.
unsafe extern "C-unwind" fn planner(
    query: *mut pg_sys::Query,
    text: *const c_char,
    cursor_options: c_int,
    params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: nothing to drop in this frame; the query is the planner's to change.
    unsafe {
        judge_messages();
        if folding::is_held() && !transaction::is_parallel_worker() {
            decide(folded::begin_statement);
        }
        decide(|| hiding::hide(query, hidden::asked_by));
    }
    let computed = folding::computed();
    let saved = enter_referential();
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    let plan = unsafe {
        match PREVIOUS_PLANNER {
            Some(previous) => previous(query, text, cursor_options, params),
            None => raw::standard_planner(query, text, cursor_options, params),
        }
    };
    referential::leave(saved);
    // SAFETY: the plan was made a moment ago, and nobody else has seen it. Nothing to drop in this frame.
    unsafe {
        decide_or_raise(|| plans::fences_first(plan, protection::fences_in_plan).map_or(Ok(()), fence::judge));
        decide(|| {
            folding::planned(plan, computed);
            let fenced = |table| protection::fence(table).is_some();
            plans::ask_policy_before_conflict(plan, fenced, || proc::in_tenant("own_row"));
        });
    }
    plan
}

/// A client has been authenticated, or has not. A replication connection has no statements that other hooks would see.
unsafe extern "C-unwind" fn client_authentication(port: *mut pg_sys::Port, status: c_int) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame; an error here ends the
    // connection, as PostgreSQL's own do.
    unsafe {
        if status == raw::STATUS_OK && replication::is_connection() {
            decide_or_raise(|| login::judge(&replication::user(port)));
        }
        if let Some(previous) = PREVIOUS_AUTHENTICATION {
            previous(port, status);
        }
    }
}

unsafe extern "C-unwind" fn end_of_transaction(event: pg_sys::XactEvent::Type, _: *mut c_void) {
    use pg_sys::XactEvent::*;
    if matches!(event, XACT_EVENT_PRE_COMMIT | XACT_EVENT_PRE_PREPARE) {
        // SAFETY: nothing to drop in this frame; the transaction can still fail.
        unsafe { decide(|| residue::transaction_commits(seal::sealed().is_some())) };
    }
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        residue::transaction_ended();
        temporary::transaction_ended();
        ready::transaction_ended();
        weakened::forget(None);
        folding::transaction_ended();
        locks::transaction_ended();
    }
}

unsafe extern "C-unwind" fn end_of_savepoint(
    event: pg_sys::SubXactEvent::Type,
    ended: pg_sys::SubTransactionId,
    _: pg_sys::SubTransactionId,
    _: *mut c_void,
) {
    if event == pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB {
        weakened::forget(Some(ended));
    }
}

/// Which functions are judged at each call: PostgreSQL then calls them by way of [`function_called`].
unsafe extern "C-unwind" fn needs_call_hook(function: Oid) -> bool {
    // SAFETY: nothing to drop in this frame.
    unsafe {
        function::is_of_users(function) && decide(|| function::is_judged_at_call(function))
            || PREVIOUS_NEEDS_CALL_HOOK.is_some_and(|needs| needs(function))
    }
}

unsafe extern "C-unwind" fn function_called(
    event: pg_sys::FmgrHookEventType::Type,
    info: *mut pg_sys::FmgrInfo,
    argument: *mut pg_sys::Datum,
) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        let function = (*info).fn_oid;
        if event == pg_sys::FmgrHookEventType::FHET_START && slot::is_set() {
            decide_or_raise(
                || if function::is_judged_at_call(function) { function::in_tenant(function) } else { Ok(()) },
            );
        }
        if let Some(previous) = PREVIOUS_CALL_HOOK {
            previous(event, info, argument);
        }
    }
}

unsafe extern "C-unwind" fn object_access(
    access: ObjectAccessType::Type,
    class: Oid,
    object: Oid,
    column: c_int,
    argument: *mut c_void,
) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        let is_column = class == pg_sys::RelationRelationId && column != 0;
        if access == ObjectAccessType::OAT_POST_CREATE && !is_column && temporary::may_be_made() {
            decide(|| temporary::made(class, object));
        }
        match (access, class) {
            (ObjectAccessType::OAT_FUNCTION_EXECUTE, _) if u32::from(object) == pg_sys::F_SET_CONFIG => {
                residue::touch_settings();
            }
            (ObjectAccessType::OAT_FUNCTION_EXECUTE, _) if function::is_random(object) => residue::touch_seed(),
            (ObjectAccessType::OAT_FUNCTION_EXECUTE, _) if folding::is_running() && folded::reads_settings(object) => {
                folding::touch()
            }
            (ObjectAccessType::OAT_FUNCTION_EXECUTE, pg_sys::ProcedureRelationId) if !function::passes(object) => {
                decide_or_raise(|| {
                    folded::called(object);
                    function::judge(object)
                })
            }
            (ObjectAccessType::OAT_TRUNCATE, pg_sys::RelationRelationId) => {
                if let Verdict::Warn(report) = decide_or_raise(|| truncate::judge(object)) {
                    warn(report);
                }
            }
            // The row that it was is still the one that catalog scans see.
            (ObjectAccessType::OAT_POST_ALTER, POLICY) => decide_or_raise(|| dropped::judge(object)),
            (
                ObjectAccessType::OAT_POST_CREATE | ObjectAccessType::OAT_POST_ALTER | ObjectAccessType::OAT_DROP,
                class,
            ) if let Some(what) = role_change::what(class) => decide_or_raise(|| role_change::judge(what)),
            (ObjectAccessType::OAT_DROP, POLICY) => decide_or_raise(|| dropped::judge(object)),
            (ObjectAccessType::OAT_DROP, class) if slot::is_set() => {
                decide_or_raise(|| changed::judge(Done::Dropped, class, object))
            }
            (ObjectAccessType::OAT_POST_CREATE, class) if slot::is_set() || class == CONSTRAINT => {
                decide_or_raise(|| changed::judge(Done::Created, class, object))
            }
            (ObjectAccessType::OAT_POST_ALTER, class) if slot::is_set() => {
                decide_or_raise(|| changed::judge(Done::Altered, class, object))
            }
            (ObjectAccessType::OAT_POST_ALTER, pg_sys::RelationRelationId)
            | (ObjectAccessType::OAT_DROP, CONSTRAINT) => decide_or_raise(|| changed::note(class, object)),
            _ => {}
        }
        if let Some(previous) = PREVIOUS_OBJECT_ACCESS {
            previous(access, class, object, column, argument);
        }
    }
}

/// ALTER SYSTEM, before it writes its file.
unsafe extern "C-unwind" fn parameter_access(
    access: ObjectAccessType::Type,
    class: Oid,
    name: *const c_char,
    right: c_int,
    argument: *mut c_void,
) {
    // SAFETY: PostgreSQL's own arguments, passed on as they came. Nothing to drop in this frame.
    unsafe {
        if class == PARAMETER && right == pg_sys::ACL_ALTER_SYSTEM as c_int {
            decide_or_raise(|| role_change::judge("ALTER SYSTEM"));
        }
        if let Some(previous) = PREVIOUS_PARAMETER_ACCESS {
            previous(access, class, name, right, argument);
        }
    }
}
