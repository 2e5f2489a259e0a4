//! For whom a tenant is entered.

use crate::context::seal;
use crate::registry::Limits;
use crate::registry::impersonations::Impersonation;
use pg_tenant_token::Verified;

/// For whom a tenant is entered.
#[derive(Clone, Copy)]
pub enum Who<'a> {
    Nobody,
    Actor(&'a str),
    Token(&'a Verified),
    Support(&'a Impersonation, seal::Identity),
}

impl Who<'_> {
    pub fn actor(&self) -> Option<&str> {
        match self {
            Who::Nobody => None,
            Who::Actor(actor) => Some(actor),
            Who::Token(token) => token.actor.as_deref(),
            Who::Support(by, _) => by.as_user.as_deref(),
        }
    }

    /// The actor, where no token names it.
    pub(super) fn named(&self) -> Option<&str> {
        if matches!(self, Who::Token(_)) { None } else { self.actor() }
    }

    /// The role that a token says.
    pub fn token_role(&self) -> Option<&str> {
        match self {
            Who::Token(token) => token.role.as_deref(),
            Who::Nobody | Who::Actor(_) | Who::Support(..) => None,
        }
    }

    pub(super) fn identity(&self) -> Option<seal::Identity> {
        match self {
            Who::Nobody => None,
            Who::Actor(actor) => Some(seal::Identity::of_actor(actor)),
            Who::Token(token) => Some(seal::Identity::Token(token.identity())),
            Who::Support(_, identity) => Some(*identity),
        }
    }

    /// The tenant's limits, and those of a grant: it reads only unless it is for writing, and no statement goes on for
    /// longer than the grant had left when it was used.
    pub(super) fn limits(&self, of_tenant: Limits) -> Limits {
        let Who::Support(by, _) = self else { return of_tenant };
        let remaining = i32::try_from(by.grant.remaining_ms()).unwrap_or(i32::MAX);
        let statement_timeout =
            if of_tenant.statement_timeout > 0 { of_tenant.statement_timeout.min(remaining) } else { remaining };
        Limits { read_only: of_tenant.read_only || !by.grant.write, statement_timeout, ..of_tenant }
    }
}
