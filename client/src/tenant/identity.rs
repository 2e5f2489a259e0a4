//! A tenant as a program passes it on, with the actor for whom it works.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use pg_tenant_core::{MalformedTenantId, TenantId};

use crate::tenant::token::Token;

/// A tenant, and the actor for whom the program works in it. Make it once at the edge of the program, from a token or a
/// job, and pass it on.
///
/// `pool.tenant(&tenant)` takes it; a pool that signs puts actor and role into the token. Cheap to clone.
///
/// ```
/// use pg_tenant_client::Tenant;
///
/// let acme: Tenant = "acme".parse().unwrap();
/// let acme = acme.with_actor("ann").with_role("clerk");
/// assert_eq!((acme.id().as_str(), acme.actor(), acme.role()), ("acme", Some("ann"), Some("clerk")));
/// ```
#[derive(Clone)]
pub struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) actor: Option<Arc<str>>,
    pub(crate) role: Option<Arc<str>>,
    /// The token that it was read from, where that is to be forwarded to the server.
    pub(crate) token: Option<Token>,
}

impl Tenant {
    /// A tenant without actor and role.
    pub fn new(id: TenantId) -> Tenant {
        Tenant { id, actor: None, role: None, token: None }
    }

    /// Sets the actor, for whom the program works: the claim `sub` of a token, `tenant.current_actor()` in SQL. A token
    /// that the tenant was read from is no longer forwarded, since it may name another actor.
    pub fn with_actor(mut self, actor: impl Into<Arc<str>>) -> Tenant {
        (self.actor, self.token) = (Some(actor.into()), None);
        self
    }

    /// Sets the actor's role in the application: the claim `role`, `tenant.current_actor_role()` in SQL. A token is no
    /// longer forwarded, as with [`with_actor`](Self::with_actor).
    pub fn with_role(mut self, role: impl Into<Arc<str>>) -> Tenant {
        (self.role, self.token) = (Some(role.into()), None);
        self
    }

    /// The tenant's id.
    pub fn id(&self) -> &TenantId {
        &self.id
    }

    /// The actor; `None` where there is none.
    pub fn actor(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// The actor's role in the application; `None` where there is none.
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    fn key(&self) -> (&TenantId, Option<&str>, Option<&str>) {
        (&self.id, self.actor(), self.role())
    }
}

impl From<TenantId> for Tenant {
    fn from(id: TenantId) -> Tenant {
        Tenant::new(id)
    }
}

/// A tenant id alone.
impl FromStr for Tenant {
    type Err = MalformedTenantId;

    fn from_str(text: &str) -> Result<Tenant, MalformedTenantId> {
        text.parse().map(Tenant::new)
    }
}

/// The same tenant, actor and role; from which token they were read makes no difference.
impl PartialEq for Tenant {
    fn eq(&self, other: &Tenant) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Tenant {}

impl Hash for Tenant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, actor, role) = self.key();
        f.debug_struct("Tenant").field("id", id).field("actor", &actor).field("role", &role).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(token: Option<Token>) -> Tenant {
        Tenant { token, ..Tenant::new("acme".parse().unwrap()) }
    }

    #[test]
    fn a_token_is_in_no_debug_output_and_makes_no_difference() {
        let with = of(Some(Token::new("eyJhbGciOi")));
        assert_eq!(with, of(None));
        assert!(!format!("{with:?}").contains("eyJ"), "{with:?}");
    }

    #[test]
    fn who_acts_for_somebody_else_does_not_forward_the_first_ones_token() {
        let token = || of(Some(Token::new("ann's")));
        assert!(token().with_actor("bob").token.is_none() && token().with_role("clerk").token.is_none());
        assert_ne!(token().with_actor("bob"), token());
    }
}
