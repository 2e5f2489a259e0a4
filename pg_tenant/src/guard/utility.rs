//! Utility commands: [`judge`] sends each kind of command to the guard that decides about it, before PostgreSQL runs
//! it; [`check`] looks at the result afterwards.

use crate::context::seal::Entered;
use crate::context::{bound, impersonation, limits, seal, session_state};
use crate::guard::{
    alter, channel, create, function, in_tenant, lost_fence, maintenance, messages, outlives, role_change, setting,
    temporary, weakened,
};
use crate::gucs;
use crate::pg::command::Command;
use crate::pg::extension;
use crate::pg::report::{Outcome, Report};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;

/// What is to do when the command has run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// See what it did: see [`check`].
    Check,
    /// As well, see whether it has put a table below a protected one.
    Complete,
    /// As well, see whether this table has got the name of one that was protected.
    Moved(Oid),
    /// As well, the session has let go of everything.
    Forget,
    /// As well, it has changed a role, or a database.
    ChangedRole(&'static str),
    /// Nothing: there may be no transaction to look at.
    Nothing,
}

/// Judges a command before it runs. In a database without the extension only settings and roles are guarded, since they
/// belong to the whole cluster; for roles [`check`] does it.
pub fn judge(command: Command) -> Outcome<Then> {
    if !matches!(command, Command::Transaction) {
        impersonation::check()?;
    }
    match decide(command) {
        Err(report) if report.refusal != Refusal::SettingRefused && !extension::is_installed() => Ok(Then::Check),
        judged => judged,
    }
}

fn decide(command: Command) -> Outcome<Then> {
    match command {
        Command::DiscardAll => return Ok(Then::Forget),
        Command::Transaction => return Ok(Then::Nothing),
        Command::Begin => return begin().map(|()| Then::Nothing),
        Command::AlterTable { table, changes } => {
            alter::alter_table(table, &changes)?;
            return Ok(Then::Complete);
        }
        Command::ChangePolicy { table, policy } => alter::change_policy(table, &policy),
        Command::DefineOn { table, what } => {
            alter::define_on(table, what)?;
            return Ok(if matches!(what, "RENAME" | "SET SCHEMA") { Then::Moved(table) } else { Then::Check });
        }
        Command::Maintain { tables } => maintenance::of(&tables),
        Command::MaintainAll { what } => maintenance::of_all(what),
        Command::AlterSequence { sequence } => maintenance::alter_sequence(sequence),
        Command::Refresh { view } => maintenance::refresh(view),
        Command::Publish { what } => maintenance::publish(what),
        Command::LargeObject => large_object(),
        Command::CreateTrigger { table } => alter::create_trigger(table),
        Command::Create(new) => {
            create::judge(&new)?;
            return Ok(Then::Complete);
        }
        Command::CreateView => return Ok(Then::Complete),
        Command::CreateTableAs { materialized_view, temporary, reads } => {
            create::table_as(materialized_view, temporary, &reads)?;
            return Ok(Then::Complete);
        }
        Command::Explain(command) => explain(*command),
        Command::CopyFile => copy_file(),
        Command::ImportForeignSchema => import_foreign_schema(),
        Command::Lock { tables } => maintenance::lock(&tables),
        Command::AlterType { changed, what } => alter::alter_type(changed, what),
        Command::HoldCursor { name } => outlives::hold_cursor(name),
        Command::PrepareTransaction => outlives::refuse(
            "a prepared transaction",
            session_state::Kind::None,
            "Any session of the role could commit it.",
            outlives::KEEP,
        ),
        Command::PrepareStatement { name } => outlives::note(session_state::Kind::PreparedStatement(name)),
        Command::Listen { channel } => outlives::listen(&channel),
        Command::Notify { channel, has_payload } => notify(&channel, has_payload),
        Command::UnlistenAll => {
            session_state::unlisten();
            Ok(())
        }
        Command::Set => {
            session_state::touch_settings();
            Ok(())
        }
        // A user who lacks the privilege gets the error from PostgreSQL itself.
        Command::ChangeRole { what } => return Ok(Then::ChangedRole(what)),
        Command::ChangeOwned { what } => role_change::judge_owned(what),
        Command::GrantOnParameter { parameters } => setting::grant_on_parameter(&parameters),
        Command::StoreSetting { parameter, of } => setting::store_setting(&parameter, of),
        Command::Other => Ok(()),
    }?;
    Ok(Then::Check)
}

/// Looks at what the command did. Refuses it if it dropped a fence, left a temporary object, raised a limit, or sends
/// the server log to the client. `whole` is false for a command that runs as part of another one, which is checked at
/// its end.
pub fn check(then: Then, whole: bool) -> Outcome<()> {
    match then {
        Then::Forget => session_state::forget(),
        Then::ChangedRole(what) => role_change::judge(what)?,
        Then::Check | Then::Complete | Then::Moved(_) | Then::Nothing => {}
    }
    lost_fence::check()?;
    if whole {
        weakened::check()?;
        temporary::check()?;
    }
    messages::judge()?;
    limits::check(bound::limits_in_force())
}

/// PostgreSQL only warns when a transaction is already open. Here that means that a pool has lent out a connection with
/// the open transaction of somebody else.
fn begin() -> Outcome<()> {
    let whose = match seal::sealed() {
        None => return Ok(()),
        Some(Entered::Tenant(id)) => format!("tenant \"{id}\""),
        Some(Entered::System(_)) => "the system context".into(),
    };
    Err(Report::new(Refusal::TransactionOpen, "BEGIN in a transaction that is open and has entered a tenant")
        .detail(format!("The transaction has entered {whose}. The statements that follow would run in it."))
        .hint(
            "Roll back first. Let the pool roll back, or close, a connection that comes back with an open transaction.",
        ))
}

fn import_foreign_schema() -> Outcome<()> {
    if !in_tenant::here() {
        return Ok(());
    }
    Err(Report::new(Refusal::UncoveredRelation, "a foreign schema cannot be imported in a tenant's transaction")
        .detail("Foreign tables have no policies; the other server does not know this transaction's tenant.")
        .hint("Import it in a transaction that has entered no tenant."))
}

/// The command inside EXPLAIN is judged first, as if it ran.
fn explain(command: Command) -> Outcome<()> {
    decide(command)?;
    if in_tenant::here() && !gucs::side_channels_allowed() {
        return Err(function::side_channel_refused("EXPLAIN"));
    }
    Ok(())
}

fn copy_file() -> Outcome<()> {
    if !in_tenant::here() || !gucs::guards() {
        return Ok(());
    }
    Err(Report::new(Refusal::ServerFileRefused, "COPY with the server's files is refused in a tenant's transaction")
        .detail("A file or a program of the server is not a tenant's: what is written there is there for all.")
        .hint("Use copy ... to stdout or from stdin, or \\copy in psql."))
}

fn notify(channel: &str, has_payload: bool) -> Outcome<()> {
    if in_tenant::here() && gucs::guards() { channel::judge_command(channel, has_payload) } else { Ok(()) }
}

/// Large objects belong to all tenants: no policy applies to them.
fn large_object() -> Outcome<()> {
    if in_tenant::here() && gucs::guards() {
        Err(function::function_refused("a command on a large object"))
    } else {
        Ok(())
    }
}
