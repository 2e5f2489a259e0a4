//! Entering the system context.

use crate::context::refusals::context_sealed;
use crate::context::seal::{self, Entered};
use crate::context::system::{READER, ROLE, keep_read_only};
use crate::context::{current, session_state};
use crate::entry::{pristine, unjournalled};
use crate::guard::temporary;
use crate::gucs;
use crate::pg::report::{Outcome, Report};
use crate::pg::text::{CText, ctext};
use crate::pg::{role, setting, transaction};
use crate::registry::Limits;
use pg_tenant_core::{Refusal, SystemContext, is_plain};

/// An entry that was admitted, and what is to be written of it.
#[derive(Clone, Copy)]
pub struct SystemEntry {
    pub context: SystemContext,
    /// The transaction can write the journal, and a line is due.
    pub journal: bool,
    /// For the server's log.
    pub log: CText,
}

/// Whether this session may enter the system context now.
///
/// Refuses an empty reason (`TN029`) and one that forges lines (`TN100`), a session that may not (`TN013`), a
/// transaction that has entered a tenant, or the context the other way (`TN014`), and a write where the transaction is
/// read-only (`TN015`).
pub fn admit(reason: Option<&str>, write: bool) -> Outcome<SystemEntry> {
    let reason = require_reason(reason)?;
    require_permission_for(write)?;
    let context = SystemContext::new(write);
    match seal::sealed() {
        None => {}
        Some(Entered::System(sealed)) if sealed == context => {}
        Some(Entered::System(SystemContext::Read)) => {
            return Err(context_sealed("enter the system context for writing", "the system context for reading"));
        }
        Some(Entered::System(SystemContext::Write)) => {
            return Err(context_sealed("enter the system context for reading", "the system context for writing"));
        }
        Some(Entered::System(SystemContext::Owner)) => {
            return Err(context_sealed("enter the system context", "the system context as an owner"));
        }
        Some(Entered::Tenant(id)) => {
            return Err(context_sealed("enter the system context", &format!("tenant \"{id}\"")));
        }
    }
    pristine::refuse_held_cursor("the system context", "every tenant's rows")?;
    temporary::refuse_types()?;
    let read_only = transaction::is_read_only();
    if write && read_only {
        return Err(system_read_only());
    }
    let how = if write { "for writing" } else { "for reading" };
    let login = role::name(role::session_user());
    let mut log = format!("role \"{login}\" enters the system context of pg_tenant {how}: {reason}");
    if read_only {
        log = unjournalled::line(&log, &login, reason);
    }
    Ok(SystemEntry { context, journal: !read_only, log: ctext(log) })
}

/// As [`admit`], if the session carries nothing from earlier transactions (else `TN008`): the entry for pools.
pub fn admit_pristine(reason: Option<&str>, write: bool) -> Outcome<SystemEntry> {
    let entry = admit(reason, write)?;
    pristine::require_pristine()?;
    Ok(entry)
}

/// Enters. PostgreSQL's own rules for SET ROLE are asked as well, since this is one.
pub fn take(context: SystemContext) {
    let entered = Entered::System(context);
    session_state::share();
    seal::seal(entered, None);
    setting::set_local("role", role_for(context));
    current::set(entered, Limits::NONE);
    keep_read_only();
}

/// Who may write takes the role that may; who may only read the other one.
fn role_for(context: SystemContext) -> &'static str {
    let may_write = role::by_name(ROLE).is_some_and(|role| role::may_become(role::session_user(), role));
    if context == SystemContext::Read && !may_write { READER } else { ROLE }
}

/// The reason, which must say something, in one line.
pub fn require_reason(reason: Option<&str>) -> Outcome<&str> {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty()).ok_or_else(reason_required)?;
    require_plain("a reason", reason)?;
    Ok(reason)
}

/// Whether the session may enter the system context for writing, and so in any way.
pub fn require_permission() -> Outcome<()> {
    require_permission_for(true)
}

/// Whether the session may enter the system context, for reading or for writing.
fn require_permission_for(write: bool) -> Outcome<()> {
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
    let reader = role::by_name(READER).filter(|&reader| role::may_become(login, reader));
    if let Some(reader) = reader
        && role::by_name(ROLE).is_some_and(|system| !role::may_become(login, system))
    {
        if !role::bypasses_row_security(reader) {
            let detail = format!("Role \"{READER}\" has lost BYPASSRLS.");
            return refuse(detail, "A superuser mends it: alter role tenant_reader nologin bypassrls;");
        }
        if write {
            let detail = format!("Role \"{name}\" may SET ROLE to \"{READER}\", which reads, and not to \"{ROLE}\".");
            return refuse(
                detail,
                "Enter it without write => true; or a superuser allows it: grant tenant_system to <role>;",
            );
        }
        return Ok(());
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

fn reason_required() -> Report {
    Report::new(Refusal::ReasonRequired, "a reason is required")
        .detail("The server log and the journal keep it.")
        .hint("Say in a few words why all tenants are worked on: select tenant.enter_system('<reason>');")
}

/// TN015: the context would write, and the transaction is read-only.
pub fn system_read_only() -> Report {
    Report::new(Refusal::SystemReadOnly, "cannot enter the system context for writing: the transaction is read-only")
        .detail("It was begun read-only, or the server is a standby.")
        .hint("Enter it without write => true, or in a transaction that is read-write.")
}
