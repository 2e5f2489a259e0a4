//! What would outlive a tenant's transaction: cursors WITH HOLD, prepared transactions and statements, a LISTEN.

use crate::context::{current, session_state};
use crate::pg::report::{Outcome, Report};
use crate::pg::{extension, notify};
use pg_tenant_core::Refusal;
use std::ffi::CString;

/// The session of a bound login belongs to one tenant to its end: a cursor that is held there shows rows of that tenant
/// only.
pub fn hold_cursor(name: CString) -> Outcome<()> {
    match current::session_tenant() {
        Some(_) if current::system().is_none() => note(session_state::Kind::HeldCursor(name)),
        _ => refuse(
            "a cursor WITH HOLD",
            session_state::Kind::HeldCursor(name),
            "The next tenant on this connection could read it.",
            KEEP,
        ),
    }
}

/// For a bound login, likewise, on the channels of its own tenant.
pub fn listen(channel: &str) -> Outcome<()> {
    match current::session_tenant() {
        Some(id) if notify::is_own(Some(id), channel) => note(session_state::Kind::Listen),
        Some(id) if extension::is_installed() => {
            Err(Report::new(Refusal::SharedNameRefused, format!("LISTEN to \"{channel}\" is refused to a bound login"))
                .detail(format!("The channel is not one of tenant \"{id}\": what is sent on it may be any tenant's."))
                .hint("Listen to a channel of its own: select tenant.channel('<channel>'); says the name."))
        }
        _ => refuse(
            "a LISTEN",
            session_state::Kind::Listen,
            "The next tenant on this connection could hear it.",
            "Listen on a connection that enters no tenant, to tenant.channel('<channel>', '<tenant id>').",
        ),
    }
}

/// What to do instead.
pub const KEEP: &str = "Keep it within the transaction.";

/// Refuses an object that would outlive the transaction of a tenant; outside tenants it is noted, for
/// [`session_state`].
pub fn refuse(what: &str, kind: session_state::Kind, why: &'static str, hint: &'static str) -> Outcome<()> {
    if current::entered().is_none() {
        return note(kind);
    }
    let whose = if current::system().is_some() { "this system context" } else { "this tenant's transaction" };
    Err(Report::new(Refusal::SessionObjectRefused, format!("{what} would outlive {whose}")).detail(why).hint(hint))
}

/// Notes what the session makes.
pub fn note(kind: session_state::Kind) -> Outcome<()> {
    session_state::note(kind);
    Ok(())
}
