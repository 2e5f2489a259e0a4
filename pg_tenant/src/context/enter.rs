//! The ways into a tenant: by its id, and by a token that says so.

use crate::context::seal::{self, Entered};
use crate::context::session_state;
use crate::context::{bound, current, limits, system};
use crate::guard::{ready, temporary};
use crate::gucs;
use crate::pg::report::{Outcome, Report};
use crate::pg::{identity, relation, replication, role, session};
use crate::registry;
use pg_tenant_core::{Refusal, TenantId};
use pg_tenant_token::Verified;

/// Enters the tenant for the rest of the transaction and gives its id in canonical form.
///
/// Refuses an id that is malformed (`TN004`), unknown (`TN002`) or not active (`TN003`), a second tenant in the same
/// transaction (`TN005`), another tenant than the session's role is bound to (`TN006`), and a transaction that has
/// entered the system context (`TN014`). A role that must sign is refused (`TN090`).
pub fn enter(id: &str) -> Outcome<TenantId> {
    if gucs::require_signed() {
        return Err(signed_entry_required());
    }
    let id = parse(id)?;
    if let Some(bound) = current::session_tenant() {
        return if bound == id { bound::admit().map(|()| id) } else { Err(bound_elsewhere(id, bound)) };
    }
    match seal::sealed() {
        Some(Entered::System(_)) => return Err(in_system_context(id)),
        Some(Entered::Tenant(sealed)) if sealed != id => return Err(already_entered(id, sealed)),
        Some(_) if current::tenant() == Some(id) => return Ok(id),
        // A savepoint has undone an entry with a token.
        Some(_) if seal::identity().is_some() => return Err(another_actor("It was entered with a token.")),
        _ => {}
    }
    take(id, None)
}

/// Enters the tenant that a verified token names, on behalf of whom it names.
///
/// Refuses as [`enter`], and (`TN099`) in a transaction that was entered without a token or for another actor or role.
/// In a session whose role is bound the token must be for that tenant, and adds actor and role.
pub fn enter_signed(token: &Verified) -> Outcome<TenantId> {
    let id = parse(&token.tenant)?;
    let identity = token.identity();
    if let Some(bound) = current::session_tenant().filter(|&bound| bound != id) {
        return Err(bound_elsewhere(id, bound));
    }
    match seal::sealed() {
        Some(Entered::System(_)) => return Err(in_system_context(id)),
        Some(Entered::Tenant(sealed)) if sealed != id => return Err(already_entered(id, sealed)),
        Some(_) if seal::identity().is_none() => return Err(another_actor("It was entered without a token.")),
        Some(_) if seal::identity() != Some(identity) => {
            return Err(another_actor("It was entered with a token for another actor or in another role."));
        }
        Some(_) if current::tenant() == Some(id) && !current::is_bound() => return Ok(id),
        _ => {}
    }
    take(id, Some(token))
}

fn take(id: TenantId, token: Option<&Verified>) -> Outcome<TenantId> {
    if replication::is_connection() {
        return Err(in_replication(id));
    }
    refuse_held_cursor(&format!("tenant \"{id}\""), "this tenant's rows")?;
    refuse_locked_table(id)?;
    temporary::refuse_shadows()?;
    ready::refuse_running()?;
    let tenant = registry::admit(&id)?;
    session_state::hand_over(id);
    seal::seal(Entered::Tenant(id), token.map(Verified::identity));
    current::set(Entered::Tenant(id), tenant.limits);
    if let Some(token) = token {
        identity::set(token.actor.as_deref(), token.role.as_deref());
    }
    limits::apply(tenant.limits);
    ready::forget_plans();
    Ok(id)
}

/// Enters the tenant if the session carries nothing from earlier transactions (else `TN008`): the entry for pools.
pub fn enter_pristine(id: &str) -> Outcome<TenantId> {
    require_pristine()?;
    enter(id)
}

/// Refuses (`TN008`) a session that carries state from earlier transactions, where this one has entered no tenant yet.
pub fn require_pristine() -> Outcome<()> {
    if seal::sealed().is_none() {
        if let Some(found) = session_state::find() {
            return Err(Report::new(
                Refusal::SessionNotPristine,
                "this session carries state from earlier transactions",
            )
            .detail(format!("It has {found}."))
            .hint("Close the connection and use another; set what a transaction needs with SET LOCAL."));
        }
        session::release_locks_and_sequences();
    }
    Ok(())
}

/// A cursor WITH HOLD that was declared before is filled at COMMIT, under what is entered now, and read after it.
pub fn refuse_held_cursor(entering: &str, rows: &str) -> Outcome<()> {
    if !session_state::holds_cursor() {
        return Ok(());
    }
    let message = format!("cannot enter {entering}: a cursor WITH HOLD was declared in this transaction");
    Err(Report::new(Refusal::SessionObjectRefused, message)
        .detail(format!("It would be filled with {rows} at COMMIT and stay open for the next tenant."))
        .hint("Declare it in a transaction of its own, or without WITH HOLD."))
}

/// A table that was locked before would be locked in the tenant's transaction.
fn refuse_locked_table(id: TenantId) -> Outcome<()> {
    let Some(table) = session_state::locked_table() else { return Ok(()) };
    let table = relation::name(table);
    let message = format!("cannot enter tenant \"{id}\": this transaction has locked table {table}");
    Err(Report::new(Refusal::LockRefused, message)
        .detail("A table lock holds up every other tenant.")
        .hint("Lock tables in a transaction that enters no tenant; lock rows with select ... for update."))
}

/// Reads a tenant id.
pub fn parse(id: &str) -> Outcome<TenantId> {
    id.parse::<TenantId>().map_err(|reason| {
        malformed(format!("\"{}\" is not a tenant id: {reason}.", id.chars().take(80).collect::<String>()))
    })
}

/// The refusal of a null in place of an id.
pub fn no_id() -> Report {
    malformed("It is null: a variable, a parameter or a claim was not set.".into())
}

fn malformed(why: String) -> Report {
    Report::new(Refusal::MalformedTenantId, "malformed tenant id")
        .detail(why)
        .hint("A tenant id has 1 to 63 characters A-Z a-z 0-9 . _ : @ ~ + - and begins with a letter or a digit.")
}

fn already_entered(id: TenantId, sealed: TenantId) -> Report {
    Report::new(Refusal::AlreadyEntered, format!("cannot enter tenant \"{id}\": this transaction belongs to another"))
        .detail(format!("The transaction has entered tenant \"{sealed}\"."))
        .hint("Commit or roll back, then enter the other tenant in a transaction of its own.")
}

fn in_system_context(id: TenantId) -> Report {
    system::sealed(&format!("enter tenant \"{id}\""), "the system context")
}

fn another_actor(detail: &str) -> Report {
    Report::new(Refusal::AnotherActor, "this transaction was entered for another actor")
        .detail(detail)
        .hint("Commit or roll back, then enter in a transaction of its own.")
}

/// The refusal of what a role does without a token that it must have.
pub fn signed_entry_required() -> Report {
    Report::new(Refusal::SignedEntryRequired, "this role enters tenants with a signed token only")
        .detail("pg_tenant.require_signed is on in this session.")
        .hint("Pass the token as a parameter: select tenant.enter_signed($1);")
}

fn bound_elsewhere(id: TenantId, bound: TenantId) -> Report {
    Report::new(
        Refusal::BoundToAnotherTenant,
        format!("cannot enter tenant \"{id}\": this session is bound to another"),
    )
    .detail(format!("Role \"{}\" logged in bound to tenant \"{bound}\".", role::name(role::session_user())))
    .hint("Log in as a role that is not bound, or as the one bound to that tenant.")
}

fn in_replication(id: TenantId) -> Report {
    Report::new(Refusal::ReplicationRefused, format!("cannot enter tenant \"{id}\" in a replication connection"))
        .detail("Its commands carry every tenant's rows, and no policy applies to them.")
        .hint("Open another connection for the tenant's statements.")
}
