//! Commands: what would weaken the protection of a table, and what would outlive a tenant's transaction.

use crate::context::seal::Entered;
use crate::context::session_state;
use crate::context::{bound, current, limits, seal};
use crate::guard::{
    channel, create, executor, function, in_tenant, lost_fence, maintenance, messages, role_change, temporary, weakened,
};
use crate::gucs::{self, NewTables};
use crate::pg::command::{Change, Command};
use crate::pg::report::{Outcome, Report};
use crate::pg::{extension, notify, policy, relation, role, types};
use crate::policy::protection::{self, Gap, Protection};
use pg_tenant_core::Refusal;
use pgrx::pg_sys::Oid;
use std::ffi::CString;

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

/// Judges a command before it runs. In a database without the extension only settings are guarded, which are the
/// cluster's, as roles are, of which [`check`] asks.
pub fn judge(command: Command) -> Outcome<Then> {
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
            alter_table(table, &changes)?;
            return Ok(Then::Complete);
        }
        Command::ChangePolicy { table, policy } => change_policy(table, &policy),
        Command::DefineOn { table, what } => {
            define_on(table, what)?;
            return Ok(if matches!(what, "RENAME" | "SET SCHEMA") { Then::Moved(table) } else { Then::Check });
        }
        Command::Maintain { tables } => maintenance::of(&tables),
        Command::MaintainAll { what } => maintenance::of_all(what),
        Command::AlterSequence { sequence } => maintenance::alter_sequence(sequence),
        Command::Refresh { view } => maintenance::refresh(view),
        Command::Publish { what } => maintenance::publish(what),
        Command::LargeObject => large_object(),
        Command::CreateTrigger { table } => create_trigger(table),
        Command::Create(new) => {
            create::judge(&new)?;
            return Ok(Then::Complete);
        }
        Command::CreateView => return Ok(Then::Complete),
        Command::CreateTableAs { materialized_view, temporary, reads } => {
            create_table_as(materialized_view, temporary, &reads)?;
            return Ok(Then::Complete);
        }
        Command::Explain(command) => explain(*command),
        Command::CopyFile => copy_file(),
        Command::ImportForeignSchema => import_foreign_schema(),
        Command::Lock { tables } => maintenance::lock(&tables),
        Command::AlterType { changed, what } => alter_type(changed, what),
        Command::HoldCursor { name } => hold_cursor(name),
        Command::PrepareTransaction => outlives(
            "a prepared transaction",
            session_state::Kind::None,
            "Any session of the role could commit it.",
            KEEP,
        ),
        Command::PrepareStatement { name } => note(session_state::Kind::PreparedStatement(name)),
        Command::Listen { channel } => listen(&channel),
        Command::Notify { channel, has_payload } => notify(&channel, has_payload),
        Command::UnlistenAll => {
            session_state::unlisten();
            Ok(())
        }
        Command::Set => {
            session_state::touch_settings();
            Ok(())
        }
        // Who lacks the right is told so by PostgreSQL.
        Command::ChangeRole { what } => return Ok(Then::ChangedRole(what)),
        Command::ChangeOwned { what } => role_change::judge_owned(what),
        Command::GrantOnParameter { parameters } => grant_on_parameter(&parameters),
        Command::StoreSetting { parameter, of } => store_setting(&parameter, of),
        Command::Other => Ok(()),
    }?;
    Ok(Then::Check)
}

/// What the command did: refuses it where it took a fence, left a temporary object, raised a limit or sends the server's
/// log to the client. `whole` says that it was no part of another one, which is judged with that.
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

/// PostgreSQL only warns that a transaction is open. Somebody else has left it so, and a pool has lent it.
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

fn alter_table(table: Oid, changes: &[Change]) -> Outcome<()> {
    for change in changes {
        match *change {
            Change::Detach(part) => leaves(part)?,
            Change::NoInherit => leaves(table)?,
            Change::Inherit(parent) if current::is_set() && in_tenant::fence(parent).is_some() => {
                return Err(in_tenant::ddl_in_tenant(parent, "giving it a child"));
            }
            _ => {}
        }
    }
    if current::tenant().is_some() && in_tenant::concerns(table) {
        return Err(in_tenant::ddl_in_tenant(table, "ALTER TABLE"));
    }
    if !gucs::guards() {
        return Ok(());
    }
    weakened::note(table);
    let fences = protection::fences(table);
    if fences.is_empty() {
        return Ok(());
    }
    let is_tenant_column = |name: &str| {
        relation::column(table, name)
            .is_some_and(|column| fences.iter().any(|fence| fence.membership().is_none() && fence.column == column))
    };
    let may_be_null = fences.iter().all(|fence| fence.form == policy::Form::OrShared);
    for change in changes {
        let what = match change {
            Change::DisableRowSecurity => "disable its row-level security",
            Change::NoForceRowSecurity => "exempt its owner from row-level security",
            Change::DropColumn(column) if is_tenant_column(column) => "drop its tenant column",
            Change::AlterColumnType(column) if is_tenant_column(column) => "change the type of its tenant column",
            Change::DropNotNull(column) if !may_be_null && is_tenant_column(column) => "let its tenant column be null",
            _ => continue,
        };
        let refused = in_tenant::weakens(table, what);
        return Err(match change {
            // Nor would PostgreSQL: a policy reads the column.
            Change::AlterColumnType(column) => refused.hint(in_one_transaction(table, column)),
            _ => refused,
        });
    }
    Ok(())
}

/// A partition or child without a fence of its own is closed while it belongs to a protected table, and open after.
fn leaves(part: Oid) -> Outcome<()> {
    match protection::of(part) {
        Protection::Broken(Gap::UnderProtected(parent)) if gucs::guards() => {
            let name = relation::name(part);
            Err(Report::new(Refusal::ProtectionGuarded, format!("table {name} would be left without protection"))
                .detail("It holds rows of a protected table and has no tenant policy of its own.")
                .hint(format!("First: select tenant.protect({});", relation::literal(parent))))
        }
        _ => Ok(()),
    }
}

fn change_policy(table: Oid, name: &str) -> Outcome<()> {
    if in_tenant::fence(table).is_none() {
        return Ok(());
    }
    if current::tenant().is_some() {
        return Err(in_tenant::ddl_in_tenant(table, "changing a policy"));
    }
    if gucs::guards() && policy::is_fence(table, name) {
        return Err(in_tenant::weakens(table, &format!("change its tenant policy \"{name}\"")));
    }
    Ok(())
}

fn define_on(table: Oid, what: &str) -> Outcome<()> {
    if current::tenant().is_some() && in_tenant::concerns(table) {
        return Err(in_tenant::ddl_in_tenant(table, what));
    }
    Ok(())
}

fn import_foreign_schema() -> Outcome<()> {
    if !in_tenant::here() {
        return Ok(());
    }
    Err(Report::new(Refusal::UncoveredRelation, "a foreign schema cannot be imported in a tenant's transaction")
        .detail("Foreign tables have no policies; the other server does not know this transaction's tenant.")
        .hint("Import it in a transaction that has entered no tenant."))
}

fn create_trigger(table: Oid) -> Outcome<()> {
    define_on(table, "CREATE TRIGGER")?;
    create::trigger(table)
}

/// What is explained is judged before that it is explained.
fn explain(command: Command) -> Outcome<()> {
    decide(command)?;
    if in_tenant::here() && !gucs::side_channels_allowed() {
        return Err(function::tells("EXPLAIN"));
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

/// A bound login's session is its tenant's to the end: a cursor that is held in it shows nobody else's rows.
fn hold_cursor(name: CString) -> Outcome<()> {
    match current::session_tenant() {
        Some(_) if current::system().is_none() => note(session_state::Kind::HeldCursor(name)),
        _ => outlives(
            "a cursor WITH HOLD",
            session_state::Kind::HeldCursor(name),
            "The next tenant on this connection could read it.",
            KEEP,
        ),
    }
}

/// Likewise for what is said on its tenant's own channels.
fn listen(channel: &str) -> Outcome<()> {
    match current::session_tenant() {
        Some(id) if notify::is_own(Some(id), channel) => note(session_state::Kind::Listen),
        Some(id) if extension::is_installed() => {
            Err(Report::new(Refusal::SharedNameRefused, format!("LISTEN to \"{channel}\" is refused to a bound login"))
                .detail(format!("The channel is not one of tenant \"{id}\": what is sent on it may be any tenant's."))
                .hint("Listen to a channel of its own: select tenant.channel('<channel>'); says the name."))
        }
        _ => outlives(
            "a LISTEN",
            session_state::Kind::Listen,
            "The next tenant on this connection could hear it.",
            "Listen on a connection that enters no tenant, to tenant.channel('<channel>', '<tenant id>').",
        ),
    }
}

fn create_table_as(materialized_view: bool, temporary: bool, reads: &[Oid]) -> Outcome<()> {
    let exempt = executor::is_exempt(role::current_user());
    let held = || reads.iter().copied().find(|&table| in_tenant::fence(table).is_some());
    if let Some(table) = held().filter(|_| materialized_view && gucs::guards()) {
        let name = relation::name(table);
        let message = format!("a materialized view would hold rows of protected table {name}");
        return Err(Report::new(Refusal::MaterializedRows, message)
            .detail("A materialized view has no policies: whoever may read it reads every tenant's rows.")
            .hint("Use a view with security_invoker = true, or a table that tenant.protect() protects."));
    }
    if let Some(table) = held().filter(|_| gucs::guards() && gucs::new_tables() == NewTables::refuse && !exempt) {
        return Err(create::copies(table));
    }
    if current::entered().is_some() && !temporary {
        let (whose, rows) = match current::system() {
            Some(_) => ("a system context", "every tenant's rows"),
            None => ("a tenant's transaction", "this tenant's rows"),
        };
        return Err(Report::new(Refusal::UnprotectedCopy, format!("a new table cannot be filled in {whose}"))
            .detail(format!("It would hold {rows}, and have no policy to keep other tenants from them."))
            .hint(
                "Use a temporary table with on commit drop, or create and protect the table first and insert into it.",
            ));
    }
    Ok(())
}

/// Large objects are every tenant's: no policy applies to them.
fn large_object() -> Outcome<()> {
    if in_tenant::here() && gucs::guards() { Err(function::reaches("a command on a large object")) } else { Ok(()) }
}

/// A type or a domain under the columns of a protected table: a new CHECK runs on every tenant's values.
fn alter_type(changed: Oid, what: &str) -> Outcome<()> {
    if current::tenant().is_none() {
        return Ok(());
    }
    match types::tables_with(changed).into_iter().find(|&table| in_tenant::fence(table).is_some()) {
        Some(table) => Err(in_tenant::ddl_in_tenant(table, what)),
        None => Ok(()),
    }
}

const KEEP: &str = "Keep it within the transaction.";

fn outlives(what: &str, kind: session_state::Kind, why: &'static str, hint: &'static str) -> Outcome<()> {
    if current::entered().is_none() {
        return note(kind);
    }
    let whose = if current::system().is_some() { "this system context" } else { "this tenant's transaction" };
    Err(Report::new(Refusal::SessionObjectRefused, format!("{what} would outlive {whose}")).detail(why).hint(hint))
}

fn note(kind: session_state::Kind) -> Outcome<()> {
    session_state::note(kind);
    Ok(())
}

fn grant_on_parameter(parameters: &[String]) -> Outcome<()> {
    let ours = |name: &&String| name.to_ascii_lowercase().starts_with("pg_tenant.");
    match parameters.iter().find(ours).filter(|_| gucs::guards()) {
        Some(parameter) => Err(Report::new(Refusal::SettingRefused, format!("cannot grant a right on {parameter}"))
            .detail("Whoever may set it chooses a tenant, or turns the guards off.")
            .hint("Bind a role to a tenant with tenant.bind_role(); enter one with tenant.enter().")),
        None => Ok(()),
    }
}

fn store_setting(parameter: &str, of: &str) -> Outcome<()> {
    if !gucs::guards() || !parameter.eq_ignore_ascii_case("pg_tenant.id") {
        return Ok(());
    }
    Err(Report::new(Refusal::SettingRefused, format!("cannot store pg_tenant.id for {of}"))
        .detail("A session would begin in a tenant without the checks of tenant.bind_role().")
        .hint("select tenant.bind_role('<role>', '<tenant id>');"))
}

/// How the type of the tenant column changes: nobody sees the table between the commands.
fn in_one_transaction(table: Oid, column: &str) -> String {
    let (name, literal) = (relation::name(table), relation::literal(table));
    let (column, as_literal) = (relation::identifier(column), relation::quoted(column));
    format!(
        "In one transaction: select tenant.unprotect({literal}, '<reason>'); alter table {name} alter column {column} type ...; \
         select tenant.protect({literal}, {as_literal});"
    )
}
