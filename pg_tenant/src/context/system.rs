//! The system context: the one way across tenants for a role that is not a superuser.
//!
//! It is the role `tenant_system`, whose BYPASSRLS shows every row, together with a value of `pg_tenant.id` that only
//! [`take`] writes. Both are local to the transaction and stand on PostgreSQL's stack of settings, so whatever undoes one
//! undoes the other. Neither is enough by itself: the role without the context has no tenant, and in the context every
//! other user is refused.

use crate::context::seal::{self, Entered};
use crate::context::session_state;
use crate::context::{current, enter, limits::Limits, owner};
use crate::guard::temporary;
use crate::gucs;
use crate::pg::report::{Outcome, Report};
use crate::pg::text::{CText, ctext};
use crate::pg::{role, setting, transaction};
use pg_tenant_core::{Refusal, SystemContext, is_plain};
use pgrx::pg_sys::Oid;

/// The role of the system context.
pub const ROLE: &str = "tenant_system";

/// An entry that was admitted. Nothing in it is to be dropped: [`crate::pg::system_entry`] writes the journal with it.
#[derive(Clone, Copy)]
pub struct Entry {
    pub context: SystemContext,
    /// The transaction can write the journal, and a line is due.
    pub journal: bool,
    /// For the server's log.
    pub log: CText,
}

/// Whether this session may enter the system context now.
///
/// Refuses an empty reason (`TN029`) and one that forges lines (`TN100`), a session that may not (`TN013`), a transaction that has entered a tenant, or the
/// context the other way (`TN014`), and a write where the transaction is read-only (`TN015`).
pub fn admit(reason: Option<&str>, write: bool) -> Outcome<Entry> {
    let reason = require_reason(reason)?;
    require_permission()?;
    let context = SystemContext::new(write);
    match seal::sealed() {
        None => {}
        Some(Entered::System(sealed)) if sealed == context => {}
        Some(Entered::System(SystemContext::Read)) => {
            return Err(sealed("enter the system context for writing", "the system context for reading"));
        }
        Some(Entered::System(SystemContext::Write)) => {
            return Err(sealed("enter the system context for reading", "the system context for writing"));
        }
        Some(Entered::System(SystemContext::Owner)) => {
            return Err(sealed("enter the system context", "the system context as an owner"));
        }
        Some(Entered::Tenant(id)) => return Err(sealed("enter the system context", &format!("tenant \"{id}\""))),
    }
    enter::refuse_held_cursor("the system context", "every tenant's rows")?;
    temporary::refuse_types()?;
    let read_only = transaction::is_read_only();
    if write && read_only {
        return Err(cannot_write());
    }
    let how = if write { "for writing" } else { "for reading" };
    let login = role::name(role::session_user());
    let log = ctext(format!("role \"{login}\" enters the system context of pg_tenant {how}: {reason}"));
    Ok(Entry { context, journal: !read_only, log })
}

/// As [`admit`], if the session carries nothing from earlier transactions (else `TN008`): the entry for pools.
pub fn admit_pristine(reason: Option<&str>, write: bool) -> Outcome<Entry> {
    let entry = admit(reason, write)?;
    enter::require_pristine()?;
    Ok(entry)
}

/// Enters. PostgreSQL's own rules for SET ROLE are asked as well, since this is one.
pub fn take(entry: Entry) {
    if entry.context == SystemContext::Owner {
        return owner::take();
    }
    let entered = Entered::System(entry.context);
    session_state::share();
    seal::seal(entered, None);
    setting::set_local("role", ROLE);
    current::set(entered, Limits::NONE);
    keep_read_only();
}

/// In a read-only system context the transaction is read-only, whatever was done to its setting: a released savepoint
/// ends it, and on 15 RESET turns it off.
pub fn keep_read_only() {
    if current::system() == Some(SystemContext::Read) && !transaction::is_read_only() {
        setting::set_local("transaction_read_only", "on");
    }
}

/// Whether a statement that runs with the rights of `user` is at work in the system context: with the role's own rights,
/// not by a function, a view or a SET ROLE.
fn is_at_work(user: Oid) -> bool {
    user == role::current_user() && user == role::outer_user() && role::by_name(ROLE) == Some(user)
}

/// Whether statements of this session have the system context's rights at this moment.
pub fn in_force() -> bool {
    let user = role::current_user();
    if owner::in_force() { owner::is_at_work(user) } else { current::system().is_some() && is_at_work(user) }
}

/// Judges a statement in the system context that reaches a protected table with the rights of `user`. `name` is the
/// table's.
pub fn judge(
    context: SystemContext,
    table: Oid,
    user: Oid,
    writes: bool,
    name: impl FnOnce(Oid) -> String,
) -> Outcome<()> {
    if context == SystemContext::Owner {
        return owner::judge(table, user, name(table));
    }
    if !is_at_work(user) {
        return Err(role_left(&name(table), user));
    }
    if writes && context == SystemContext::Read {
        return Err(read_only(&name(table)));
    }
    Ok(())
}

/// The reason, which must say something, in one line.
pub fn require_reason(reason: Option<&str>) -> Outcome<&str> {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty()).ok_or_else(no_reason)?;
    require_plain("a reason", reason)?;
    Ok(reason)
}

/// Whether the session may enter the system context in any way.
pub fn require_permission() -> Outcome<()> {
    let refuse = |detail: String, hint: &str| {
        Err(Report::new(Refusal::SystemRefused, "cannot enter the system context").detail(detail).hint(hint))
    };
    let login = role::session_user();
    let name = role::name(login);
    if let Some(bound) = current::session_tenant() {
        let detail = format!("Role \"{name}\" logged in bound to tenant \"{bound}\".");
        return refuse(detail, "Log in as a role that is not bound.");
    }
    if gucs::require_signed() {
        let detail = "pg_tenant.require_signed is on in this session, and no token is for all tenants.".into();
        return refuse(detail, "Log in as an operator's role, of which no token is required.");
    }
    if role::current_user() != role::outer_user() {
        let detail = "It would be entered with the rights of a SECURITY DEFINER function.".into();
        return refuse(detail, "Enter it outside the function, or make the function SECURITY INVOKER.");
    }
    let Some(system) = role::by_name(ROLE).filter(|&system| role::bypasses_row_security(system)) else {
        let detail = format!("There is no role \"{ROLE}\", or it has lost BYPASSRLS.");
        return refuse(
            detail,
            "A superuser mends it: create role tenant_system; alter role tenant_system nologin bypassrls;",
        );
    };
    if !role::may_become(login, system) {
        let detail = format!("Role \"{name}\" may not SET ROLE to \"{ROLE}\".");
        return refuse(detail, "A superuser allows it: grant tenant_system to <role>;");
    }
    Ok(())
}

/// The longest name or reason, in bytes.
const LONGEST_PLAIN: usize = 10_000;

/// Refuses (`TN100`) a text that would not stand in a log as it is.
pub fn require_plain(what: &str, text: &str) -> Outcome<()> {
    if text.len() > LONGEST_PLAIN {
        return Err(Report::new(Refusal::UnplainText, format!("{what} is too long"))
            .detail(format!("It has more than {LONGEST_PLAIN} bytes."))
            .hint("Say it in fewer words."));
    }
    if is_plain(text) {
        return Ok(());
    }
    Err(Report::new(Refusal::UnplainText, format!("{what} has characters that do not show"))
        .detail("Control characters, line separators and marks of direction forge lines where it is read.")
        .hint("Write it in one line, without them."))
}

fn no_reason() -> Report {
    Report::new(Refusal::ReasonRequired, "a reason is required")
        .detail("The server log and the journal keep it.")
        .hint("Say in a few words why all tenants are worked on: select tenant.enter_system('<reason>');")
}

/// The refusal of entering something else than the transaction was sealed to.
pub fn sealed(wanted: &str, entered: &str) -> Report {
    Report::new(Refusal::ContextSealed, format!("cannot {wanted}: this transaction has entered something else"))
        .detail(format!("The transaction has entered {entered}."))
        .hint("Commit or roll back, then enter it in a transaction of its own.")
}

/// The refusal of a context that writes, in a transaction that does not.
pub fn cannot_write() -> Report {
    Report::new(Refusal::SystemReadOnly, "cannot enter the system context for writing: the transaction is read-only")
        .detail("It was begun read-only, or the server is a standby.")
        .hint("Enter it without write => true, or in a transaction that is read-write.")
}

fn read_only(name: &str) -> Report {
    Report::new(Refusal::SystemReadOnly, format!("cannot write table {name}: the system context is read-only"))
        .detail("It was entered without write => true.")
        .hint("In a transaction of its own: select tenant.enter_system('<reason>', write => true);")
}

fn role_left(name: &str, user: Oid) -> Report {
    let user = role::name(user);
    Report::new(
        Refusal::SystemRoleLeft,
        format!("the system context does not reach table {name} with the rights of role \"{user}\""),
    )
    .detail(format!("It is the own rights of role \"{ROLE}\" that reach every tenant's rows."))
    .hint("Do without SET ROLE; for a view, security_invoker = true; for a function, SECURITY INVOKER.")
}
