//! Which tenant a transaction enters, and how.

use std::sync::Arc;

use pg_tenant_core::{MalformedTenantId, SystemContext, TenantId};

use crate::error::Error;
use crate::tenant::ambient;
use crate::tenant::identity::Tenant;
use crate::tenant::impersonation::Impersonation;
use crate::tenant::into_id::IntoTenantId;
use crate::tenant::share::Share;
use crate::tenant::token::Token;

/// Which tenant a transaction enters.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A tenant, with actor and role.
    Plain(Result<Tenant, MalformedTenantId>),
    /// The tenant that the token names.
    Signed(Token),
    /// The tenant of a grant.
    By(Impersonation),
    /// The task had no tenant.
    Nobody,
}

impl Entry {
    pub(crate) fn tenant(tenant: impl IntoTenantId) -> Entry {
        Entry::Plain(tenant.into_tenant())
    }

    /// The tenant of the running task.
    pub(crate) fn ambient() -> Entry {
        ambient::current().map_or(Entry::Nobody, |tenant| Entry::Plain(Ok(tenant)))
    }

    /// Changes actor and role, where a tenant is named.
    pub(crate) fn map(self, change: impl FnOnce(Tenant) -> Tenant) -> Entry {
        match self {
            Entry::Plain(Ok(tenant)) => Entry::Plain(Ok(change(tenant))),
            other => other,
        }
    }

    /// The tenant, where it is named.
    pub(crate) fn tenant_id(&self) -> Option<&TenantId> {
        match self {
            Entry::Plain(Ok(tenant)) => Some(&tenant.id),
            Entry::By(grant) => Some(grant.tenant_id()),
            Entry::Plain(Err(_)) | Entry::Signed(_) | Entry::Nobody => None,
        }
    }

    /// The grant, where it enters by one.
    pub(crate) fn by(&self) -> Option<&Impersonation> {
        match self {
            Entry::By(grant) => Some(grant),
            Entry::Plain(_) | Entry::Signed(_) | Entry::Nobody => None,
        }
    }

    /// The account in the pool that it counts against: that of the tenant that the application named or verified, or
    /// that the server has found in this token before (`of_token`).
    pub(crate) fn share(&self, of_token: impl FnOnce(&Token) -> Share) -> Share {
        match self {
            Entry::Plain(Ok(tenant)) => Share::Tenant(tenant.id),
            Entry::By(grant) => Share::Tenant(*grant.tenant_id()),
            Entry::Signed(token) => of_token(token),
            Entry::Plain(Err(_)) | Entry::Nobody => Share::NoTenant,
        }
    }

    /// How it enters, on a pool with this signer.
    pub(crate) fn method(
        &self,
        #[cfg(feature = "sign")] signer: Option<&crate::tenant::signer::TokenSigner>,
    ) -> Result<EntryMethod, Error> {
        let tenant = match self {
            Entry::Signed(token) => return Ok(EntryMethod::Signed(None, token.clone())),
            Entry::By(grant) => return Ok(EntryMethod::By(grant.clone())),
            Entry::Nobody => return Err(Error::no_ambient_tenant()),
            Entry::Plain(tenant) => tenant.as_ref().map_err(|why| Error::malformed(*why))?,
        };
        #[cfg(feature = "sign")]
        if let Some(signer) = signer {
            return Ok(EntryMethod::Signed(Some(tenant.id), signer.sign(tenant)));
        }
        Ok(match &tenant.token {
            // The server reads it for itself, and says whom it names.
            Some(token) => EntryMethod::Signed(None, token.clone()),
            None => EntryMethod::In(tenant.id, tenant.actor.as_deref().map(Error::checked_actor).transpose()?),
        })
    }
}

/// How a transaction enters: made from an [`Entry`] when the transaction begins.
#[derive(Clone)]
pub(crate) enum EntryMethod {
    /// For an actor, where one is named.
    In(TenantId, Option<Arc<str>>),
    /// The id is known before the server says it where the client signed the token itself.
    Signed(Option<TenantId>, Token),
    /// By a grant.
    By(Impersonation),
    /// With the reason.
    System(SystemContext, String),
}

impl EntryMethod {
    /// The grant, where it enters by one.
    pub(crate) fn by(&self) -> Option<&Impersonation> {
        match self {
            EntryMethod::By(grant) => Some(grant),
            EntryMethod::In(..) | EntryMethod::Signed(..) | EntryMethod::System(..) => None,
        }
    }
}
