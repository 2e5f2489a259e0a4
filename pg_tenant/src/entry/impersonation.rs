//! Entering a tenant by a grant: support works in the place of a user, or without one, for a time.

use crate::context::seal::{self, Entered};
use crate::context::{current, impersonation, refusals};
use crate::entry::tenant;
use crate::entry::who::Who;
use crate::gucs;
use crate::people::{self, Standing};
use crate::pg::impersonation_row::GrantId;
use crate::pg::report::{Outcome, Report};
use crate::pg::text::{CText, ctext};
use crate::pg::{role, transaction};
use crate::registry::impersonations::{self, Impersonation};
use pg_tenant_core::{Refusal, TenantId};

/// An entry that was admitted, and what is to be written of it.
#[derive(Clone, Copy)]
pub struct GrantedEntry {
    pub id: GrantId,
    /// The transaction can write the journal, and a line is due.
    pub journal: bool,
    /// For the server's log.
    pub log: Option<CText>,
}

/// Whether this session may enter by the grant now.
///
/// Refuses a grant that opens nothing to the login (`TN158`) or not any more (`TN159`), a login that must sign
/// (`TN090`) or is bound (`TN158`), a user who is no member (`TN158`), and a transaction that has entered something
/// else (`TN005`, `TN014`, `TN099`).
pub fn admit(id: Option<GrantId>) -> Outcome<GrantedEntry> {
    let id = id.ok_or_else(no_id)?;
    let by = find(&id)?;
    if has_entered(&by)? {
        return Ok(GrantedEntry { id, journal: false, log: None });
    }
    let login = role::name(role::session_user());
    let whom = by.as_user.as_deref().map_or_else(|| "nobody".into(), |user| format!("\"{user}\""));
    let how = if by.grant.write { "for writing" } else { "for reading" };
    let tenant = by.grant.tenant;
    let log = ctext(format!(
        "role \"{login}\" enters tenant \"{tenant}\" in the place of {whom} {how}, by impersonation {}",
        hyphenated(&id)
    ));
    let journal = !transaction::is_read_only() && impersonation::is_to_be_journalled(id);
    Ok(GrantedEntry { id, journal, log: Some(log) })
}

/// Enters, and gives the tenant's id. Refuses as [`admit`], and as every entry.
pub fn take(id: GrantId) -> Outcome<TenantId> {
    let by = find(&id)?;
    let tenant = by.grant.tenant;
    if has_entered(&by)? { Ok(tenant) } else { tenant::take(tenant, Who::Support(&by, identity(&id))) }
}

fn find(id: &GrantId) -> Outcome<Impersonation> {
    if gucs::require_signed() {
        return Err(refusals::signed_entry_required());
    }
    if let Some(bound) = current::session_tenant() {
        return Err(refused("this login impersonates nobody")
            .detail(format!("Role \"{}\" logged in bound to tenant \"{bound}\".", role::name(role::session_user())))
            .hint("Log in as a role that is not bound."));
    }
    let by = impersonations::find(id)?;
    let tenant = by.grant.tenant;
    if let Some(user) = &by.as_user
        && !matches!(people::standing(&tenant, user), Standing::Member(_))
        && people::has_roles()
    {
        return Err(refused(&format!("user \"{user}\" is not impersonated in tenant \"{tenant}\""))
            .detail("Only active members of the tenant are.")
            .hint(
                "Ask for it as another user, or without one: select tenant.impersonate('<tenant>', null, '<reason>');",
            ));
    }
    Ok(by)
}

/// Whether the transaction is in the tenant by this very grant; refuses where it has entered something else.
fn has_entered(by: &Impersonation) -> Outcome<bool> {
    let id = by.grant.tenant;
    match seal::sealed() {
        None => Ok(false),
        Some(Entered::System(_)) => Err(refusals::in_system_context(id)),
        Some(Entered::Tenant(sealed)) if sealed != id => Err(refusals::already_entered(id, sealed)),
        Some(_) if seal::identity() != Some(identity(&by.grant.id)) => {
            Err(refusals::another_actor("It was entered otherwise than by this impersonation."))
        }
        Some(_) => Ok(current::tenant() == Some(id)),
    }
}

/// No actor has a name with a zero byte.
fn identity(id: &GrantId) -> seal::Identity {
    seal::Identity::of_actor(&format!("\0{}", hyphenated(id)))
}

fn hyphenated(id: &GrantId) -> String {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn no_id() -> Report {
    refused("no impersonation is named")
        .detail("Its id is null: a variable or a parameter was not set.")
        .hint("select tenant.enter_as('<id>'); with what tenant.impersonate() has returned.")
}

fn refused(message: &str) -> Report {
    Report::new(Refusal::ImpersonationRefused, message)
}
