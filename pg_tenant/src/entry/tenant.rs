//! The ways into a tenant: by its id, by its id for an actor, and by a token that says both.

use crate::admission;
use crate::context::acting::{Acting, Member};
use crate::context::identity::Name;
use crate::context::seal::{self, Entered};
use crate::context::{bound, current, identity, impersonation, limits, refusals, session_state};
use crate::entry::who::Who;
use crate::entry::{membership, pristine};
use crate::guard::{function, ready, temporary};
use crate::gucs;
use crate::pg::replication;
use crate::pg::report::{Outcome, Report};
use crate::registry;
use pg_tenant_core::{Refusal, TenantId};
use pg_tenant_token::Verified;

/// Enters the tenant for the rest of the transaction and gives its id in canonical form.
///
/// Refuses an id that is malformed (`TN004`), unknown (`TN002`) or not active (`TN003`), a second tenant in the same
/// transaction (`TN005`), another tenant than the session's role is bound to (`TN006`), and a transaction that has
/// entered the system context (`TN014`). A role that must sign is refused (`TN090`), and one that must be a member
/// (`TN140`).
pub fn enter(id: &str) -> Outcome<TenantId> {
    if gucs::require_signed() {
        return Err(refusals::signed_entry_required());
    }
    let id = parse(id)?;
    if let Some(bound) = current::session_tenant() {
        return if bound == id {
            bound::admit().map(|()| id)
        } else {
            Err(refusals::bound_to_another_tenant(id, bound))
        };
    }
    match seal::sealed() {
        Some(Entered::System(_)) => return Err(refusals::in_system_context(id)),
        Some(Entered::Tenant(sealed)) if sealed != id => return Err(refusals::already_entered(id, sealed)),
        Some(_) if current::tenant() == Some(id) => return Ok(id),
        // A savepoint has undone an entry with a token, or for an actor.
        Some(_) if seal::identity().is_some() => return Err(refusals::another_actor("It was entered for an actor.")),
        _ => {}
    }
    take(id, Who::Nobody)
}

/// Enters the tenant on behalf of the actor, for pools that are trusted with the tenant.
///
/// Refuses as [`enter`], an actor that is null or malformed (`TN141`), and a transaction that was entered for nobody or
/// for another actor (`TN099`). In a session whose role is bound it adds the actor.
pub fn enter_for(id: &str, actor: Option<&str>) -> Outcome<TenantId> {
    if gucs::require_signed() {
        return Err(refusals::signed_entry_required());
    }
    let actor = membership::require_actor(actor)?;
    let id = parse(id)?;
    let who = Who::Actor(actor);
    if let Some(bound) = current::session_tenant().filter(|&bound| bound != id) {
        return Err(refusals::bound_to_another_tenant(id, bound));
    }
    match seal::sealed() {
        Some(Entered::System(_)) => return Err(refusals::in_system_context(id)),
        Some(Entered::Tenant(sealed)) if sealed != id => return Err(refusals::already_entered(id, sealed)),
        Some(_) if seal::identity().is_none() => {
            return Err(refusals::another_actor("It was entered for no actor."));
        }
        Some(_) if seal::identity() != who.identity() => {
            return Err(refusals::another_actor("It was entered for another actor, or with a token."));
        }
        Some(_) if current::tenant() == Some(id) && !current::is_bound() => return Ok(id),
        _ => {}
    }
    take(id, who)
}

/// Enters the tenant that a verified token names, on behalf of whom it names.
///
/// Refuses as [`enter`], and (`TN099`) in a transaction that was entered without a token or for another actor or role.
/// In a session whose role is bound the token must be for that tenant, and adds actor and role.
pub fn enter_signed(token: &Verified) -> Outcome<TenantId> {
    let id = parse(&token.tenant)?;
    let identity = seal::Identity::Token(token.identity());
    if let Some(bound) = current::session_tenant().filter(|&bound| bound != id) {
        return Err(refusals::bound_to_another_tenant(id, bound));
    }
    match seal::sealed() {
        Some(Entered::System(_)) => return Err(refusals::in_system_context(id)),
        Some(Entered::Tenant(sealed)) if sealed != id => return Err(refusals::already_entered(id, sealed)),
        Some(_) if seal::identity().is_none() => {
            return Err(refusals::another_actor("It was entered without a token."));
        }
        Some(_) if seal::identity() != Some(identity) => {
            return Err(refusals::another_actor("It was entered with a token for another actor or in another role."));
        }
        Some(_) if current::tenant() == Some(id) && !current::is_bound() => return Ok(id),
        _ => {}
    }
    take(id, Who::Token(token))
}

pub(super) fn take(id: TenantId, who: Who<'_>) -> Outcome<TenantId> {
    if replication::is_connection() {
        return Err(refusals::replication_refused(id));
    }
    pristine::refuse_held_cursor(&format!("tenant \"{id}\""), "this tenant's rows")?;
    pristine::refuse_locked_table(id)?;
    temporary::refuse_shadows()?;
    function::refuse_running()?;
    let admitted = registry::admit(&id)?;
    let limits = who.limits(admitted.limits);
    let role = membership::admit(&id, who)?;
    admission::enter(&id, admitted.given)?;
    session_state::hand_over(id);
    seal::seal(Entered::Tenant(id), who.identity());
    let named = who.named();
    if named.is_none() && role.is_none() {
        current::set(Entered::Tenant(id), limits);
    } else {
        let role = role.as_deref();
        let acting = Acting { actor: named.map(|name| Name::new(name.as_bytes())), member: role.map(Member::new) };
        current::set_acting(Entered::Tenant(id), limits, acting, &Acting::text(role, named));
    }
    match who {
        Who::Token(token) => identity::set(token.actor.as_deref(), token.role.as_deref()),
        Who::Support(by, identity) => {
            identity::set_impersonator(&by.impersonator);
            impersonation::set(by.grant, identity);
        }
        Who::Nobody | Who::Actor(_) => {}
    }
    limits::apply(limits);
    ready::forget_plans();
    Ok(id)
}

/// Enters the tenant if the session carries nothing from earlier transactions (else `TN008`): the entry for pools.
pub fn enter_pristine(id: &str) -> Outcome<TenantId> {
    pristine::require_pristine()?;
    enter(id)
}

/// As [`enter_for`], if the session carries nothing from earlier transactions (else `TN008`).
pub fn enter_pristine_for(id: &str, actor: Option<&str>) -> Outcome<TenantId> {
    pristine::require_pristine()?;
    enter_for(id, actor)
}

/// Reads a tenant id.
pub fn parse(id: &str) -> Outcome<TenantId> {
    id.parse::<TenantId>().map_err(|reason| {
        malformed_tenant_id(format!("\"{}\" is not a tenant id: {reason}.", id.chars().take(80).collect::<String>()))
    })
}

/// The refusal of a null in place of an id.
pub fn no_id() -> Report {
    malformed_tenant_id("It is null: a variable, a parameter or a claim was not set.".into())
}

fn malformed_tenant_id(why: String) -> Report {
    Report::new(Refusal::MalformedTenantId, "malformed tenant id")
        .detail(why)
        .hint("A tenant id has 1 to 63 characters A-Z a-z 0-9 . _ : @ ~ + - and begins with a letter or a digit.")
}
