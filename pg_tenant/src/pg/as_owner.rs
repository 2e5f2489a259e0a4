//! Runs a command on a table as the owner of that table.
//!
//! An ALTER TABLE runs code that the owner wrote: CHECKs, casts, index functions. When a superuser protects the table,
//! this code must not run with the rights of the superuser. So the command runs as PostgreSQL runs REINDEX: as the
//! owner and restricted, so that nothing is deferred to the end of the transaction, when the caller would run it.
//!
//! Event triggers of the application run within the command, and expect the search path of the caller: the path that
//! our functions pin is taken off for the command, whose text therefore qualifies each name.

use crate::pg::function::{Args, preloaded};
use crate::pg::report::Outcome;
use crate::pg::text::{self, CText, ctext};
use crate::pg::{boundary, list, raw, relation, role, setting};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};
use std::ffi::{CStr, c_int};

/// What our functions' SET clauses say.
const PINNED: &CStr = c"pg_catalog, pg_temp";
const PG_CATALOG: u32 = 11;

const RESTRICTED: c_int = (pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION) as c_int;

/// A command, and who runs it: none where that is who runs already.
#[derive(Clone, Copy)]
pub struct Task {
    statement: CText,
    becomes: Option<(Oid, c_int)>,
    /// A text as its `$1`. Such a command runs in the path that our functions pin: whoever calls has no part in it.
    value: Option<Datum>,
}

/// Gives the first column of the first row, or null; without a result, how many rows it was about.
///
/// # Safety
/// Called by PostgreSQL's function manager with its own `fcinfo`.
pub unsafe fn run(fcinfo: FunctionCallInfo, of: fn(Args) -> Outcome<Task>) -> Datum {
    // SAFETY: the frame holds only Copy data. The command is a bare call: users' errors pass through it as they are,
    // and the abort of the transaction or savepoint puts user, context and settings back.
    unsafe {
        let task = boundary::decide_or_raise(|| preloaded().and_then(|()| of(Args::of(fcinfo))));
        let (mut user, mut context) = (Oid::INVALID, 0);
        raw::GetUserIdAndSecContext(&mut user, &mut context);
        let level = raw::NewGUCNestLevel();
        if task.value.is_none() {
            boundary::decide(take_path_of_caller);
        }
        if let Some((role, restriction)) = task.becomes {
            raw::SetUserIdAndSecContext(role, context | restriction);
        }
        let outer = pg_sys::CurrentMemoryContext;
        if raw::SPI_connect() < 0 || execute(task) < 0 {
            not_run();
        }
        let (table, count) = (pg_sys::SPI_tuptable, pg_sys::SPI_processed);
        let value = if table.is_null() || count == 0 {
            std::ptr::null_mut()
        } else {
            raw::SPI_getvalue(*(*table).vals, (*table).tupdesc, 1)
        };
        pg_sys::CurrentMemoryContext = outer;
        let answer = boundary::decide(|| match (value.is_null(), table.is_null()) {
            (false, _) => Datum::from(pg_sys::cstring_to_text(value)),
            (true, false) => Datum::null(),
            (true, true) => Datum::from(pg_sys::cstring_to_text(ctext(count.to_string()).as_ptr())),
        });
        raw::SPI_finish();
        // What the owner's code has set ends with it.
        raw::AtEOXact_GUC(task.becomes.is_none(), level);
        raw::SetUserIdAndSecContext(user, context);
        (*fcinfo).isnull = answer.is_null();
        answer
    }
}

/// Gives PostgreSQL's code of what was done, negative where nothing was. Within SPI.
///
/// # Safety
/// Within SPI; nothing to drop in the caller's frame.
unsafe fn execute(task: Task) -> c_int {
    let statement = task.statement.as_ptr();
    // SAFETY: bare calls: what they raise passes through a frame of Copy data. The value is a text that outlives them.
    unsafe {
        match task.value {
            None => raw::SPI_execute(statement, false, 0),
            Some(mut value) => {
                let mut kind = pg_sys::TEXTOID;
                raw::SPI_execute_with_args(statement, 1, &mut kind, &mut value, std::ptr::null(), false, 0)
            }
        }
    }
}

/// `tenant_internal.run_as_owner(rel regclass, statement text) → text`
pub fn as_owner(args: Args) -> Outcome<Task> {
    let (user, owner) = (role::current_user(), role::owner(args.oid(0)));
    // Only a role that the user could SET ROLE to.
    let becomes = owner.filter(|&owner| owner != user && (role::is_superuser(user) || role::may_become(user, owner)));
    let statement = args.whole_text(1);
    // The owner may lack privileges on schemas: for an index, CREATE on the schema of the table, and PostgreSQL itself
    // would build it as the owner; for a policy, a default or a trigger, USAGE on our schema, and creating these runs
    // no code. Then the command runs as the caller.
    let becomes = becomes.filter(|&owner| {
        (!makes_index(&statement) || relation::may_create_beside(owner, args.oid(0)))
            && (!names_us(&statement) || relation::may_use_ours(owner))
    });
    let restriction = |owner: Oid| {
        // In the owner's own session what waits for the end of the transaction runs as the owner too.
        let own = role::outer_user() == owner && role::session_user() == owner;
        if own { pg_sys::SECURITY_LOCAL_USERID_CHANGE as c_int } else { RESTRICTED }
    };
    let becomes = becomes.map(|owner| (owner, restriction(owner)));
    Ok(Task { statement: ctext(statement), becomes, value: None })
}

/// `tenant_internal.run_validation(rel regclass, statement text) → text`: as the owner. The policies of the owner's
/// tables do not apply to the query that validates a foreign key, as they do not to the queries that keep it, unless it
/// is `guarded`; whatever users' code starts within that is a statement like any other.
pub fn validation(args: Args, guarded: bool) -> Outcome<Task> {
    let task = as_owner(args)?;
    if guarded {
        return Ok(task);
    }
    let (role, restriction) = task.becomes.unwrap_or((role::current_user(), 0));
    Ok(Task { becomes: Some((role, restriction | pg_sys::SECURITY_NOFORCE_RLS as c_int)), ..task })
}

/// `tenant_internal.run_past_policies(rel regclass, statement text) → text`: as the owner, to whom the policies of
/// their own tables do not apply meanwhile. For a superuser, to whom none does.
pub fn past_policies(args: Args) -> Outcome<Task> {
    let past = RESTRICTED | pg_sys::SECURITY_NOFORCE_RLS as c_int;
    let user = role::current_user();
    let owner = role::owner(args.oid(0)).filter(|&owner| owner != user && role::is_superuser(user));
    Ok(Task { statement: ctext(args.whole_text(1)), becomes: owner.map(|owner| (owner, past)), value: None })
}

/// `tenant_internal.run_lookup(rel regclass, statement text, value text) → text`: likewise, with a parameter and in our
/// own path. The caller of the function that calls it has chosen the value, and nothing else.
pub fn lookup(args: Args) -> Outcome<Task> {
    Ok(Task { value: Some(args.text_datum(2)), ..past_policies(args)? })
}

/// `tenant_internal.run_as(role oid, statement text) → text`: as any role. For a superuser.
pub fn as_role(args: Args) -> Outcome<Task> {
    let becomes = role::is_superuser(role::current_user()).then_some((args.oid(0), RESTRICTED));
    Ok(Task { statement: ctext(args.whole_text(1)), becomes, value: None })
}

/// Whether it is one of the commands of `tenant_internal.fence` and `tenant_internal.keep_members` that name a function
/// of ours.
fn names_us(statement: &str) -> bool {
    let begins = |words: &str| statement.starts_with(words);
    (begins("create policy ")
        || begins("alter policy ")
        || begins("create trigger ")
        || begins("alter table only ") && statement.contains(" set default "))
        && statement.contains("tenant.")
}

fn makes_index(statement: &str) -> bool {
    let mut words = statement.split_ascii_whitespace().map(str::to_ascii_lowercase).filter(|word| word != "unique");
    words.next().as_deref() == Some("create") && words.next().as_deref() == Some("index")
}

/// For a text that is no command, or one that ends the transaction: we run none of these. Never returns.
///
/// # Safety
/// Nothing to drop in the caller's frame.
unsafe fn not_run() {
    // SAFETY: the caller's frame holds only Copy data; the texts are static.
    unsafe {
        if raw::errstart(raw::ERROR, std::ptr::null()) {
            raw::errmsg_internal(c"%s".as_ptr(), c"this cannot be run as the owner of a table".as_ptr());
            raw::errfinish(c"pg_tenant".as_ptr(), 0, c"pg_tenant".as_ptr());
        }
    }
}

/// The search path of whoever called our functions, until the nest level of settings ends. PostgreSQL's own names come
/// first in it, as they do unless somebody says otherwise.
fn take_path_of_caller() {
    let path = path_of_caller();
    setting::set_until_function_ends("search_path", &path);
    // SAFETY: the path is a fresh list of oids.
    let first = unsafe { list::oids(pg_sys::fetch_search_path(true)).find(|&schema| !pg_sys::isTempNamespace(schema)) };
    if first.is_some_and(|schema| schema.to_u32() != PG_CATALOG) {
        setting::set_until_function_ends("search_path", &format!("pg_catalog, {path}"));
    }
}

/// What stood before the SET clauses of our functions, the innermost of which is the last on PostgreSQL's stack.
fn path_of_caller() -> String {
    // SAFETY: search_path is a setting of PostgreSQL's, a text, and never null; the entries of its stack hold what
    // stood before each, and live until their nest levels end.
    unsafe {
        let setting = search_path();
        let mut path = *(*setting).variable;
        let mut entry = (*setting).gen_.stack;
        while CStr::from_ptr(path) == PINNED
            && !entry.is_null()
            && (*entry).state == pg_sys::GucStackState::GUC_SAVE
            && !(*entry).prior.val.stringval.is_null()
        {
            path = (*entry).prior.val.stringval;
            entry = (*entry).prev;
        }
        text::owned(path)
    }
}

/// # Safety
/// The record is PostgreSQL's own, and only read.
#[cfg(feature = "pg15")]
unsafe fn search_path() -> *mut pg_sys::config_string {
    // SAFETY: the array has as many entries as PostgreSQL says, none of them null.
    unsafe {
        let all = std::slice::from_raw_parts(pg_sys::get_guc_variables(), pg_sys::GetNumConfigOptions() as usize);
        let found = all.iter().find(|&&one| CStr::from_ptr((*one).name) == c"search_path");
        found.map_or(std::ptr::null_mut(), |&one| one.cast())
    }
}

/// # Safety
/// The record is PostgreSQL's own, and only read.
#[cfg(not(feature = "pg15"))]
unsafe fn search_path() -> *mut pg_sys::config_string {
    // SAFETY: the setting is there.
    unsafe { pg_sys::find_option(c"search_path".as_ptr(), false, false, raw::ERROR).cast() }
}

/// Exports `$symbol` as a SQL function that runs what `$task` says.
#[macro_export]
macro_rules! sql_function_running {
    ($symbol:ident, $finfo:ident, $task:expr) => {
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
            let task = $task;
            // SAFETY: fcinfo comes from the function manager.
            unsafe { $crate::pg::as_owner::run(fcinfo, task) }
        }
    };
}
