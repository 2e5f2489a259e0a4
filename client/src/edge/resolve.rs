//! From a request to its tenant.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use http::request::Parts;

use super::denied::{Denied, Statuses};
use super::proof::DynProof;
use super::source::{By, Source};
use crate::registry::{Directory, TenantRecord};
use crate::tenant::identity::Tenant;
use crate::tenant::request_id::RequestId;

/// The configuration of a [`TenantLayer`](super::TenantLayer).
#[derive(Clone)]
pub(super) struct Resolver {
    pub(super) directory: Directory,
    pub(super) proofs: Vec<Arc<dyn DynProof>>,
    pub(super) sources: Vec<Source>,
    pub(super) statuses: Statuses,
    pub(super) ambient: bool,
    /// Nothing is proven: the request's own word is all there is.
    pub(super) unproven: bool,
    /// The header that names the request.
    pub(super) request_id: Option<HeaderName>,
}

impl Resolver {
    /// What the request says it is called, where that is asked for.
    pub(super) fn request_id(&self, request: &Parts) -> Option<RequestId> {
        request.headers.get(self.request_id.as_ref()?)?.to_str().ok()?.parse().ok()
    }

    /// Nothing is looked up for a request that proves nothing, so nobody learns from outside which tenants there are.
    pub(super) async fn resolve(&self, request: &Parts) -> Result<(Tenant, Arc<TenantRecord>), Denied> {
        let proven = self.prove(request).await?;
        let named = self.named(request)?;
        let tenant = match proven {
            Some(tenant) => tenant,
            None if named.is_empty() => return Err(Denied::NoTenant),
            None => return Err(Denied::Unproven),
        };
        for (source, name) in named {
            let record = self.look_up(source, &name).await?;
            if record.id != tenant.id {
                return Err(Denied::Mismatch);
            }
        }
        let record = found(self.directory.by_id(&tenant.id).await)?;
        Denied::of(record.status).map_or(Ok((tenant, record)), Err)
    }

    /// The tenant that the request names, whoever sends it.
    pub(super) async fn resolve_named(&self, request: &Parts) -> Result<Arc<TenantRecord>, Denied> {
        let mut named: Option<Arc<TenantRecord>> = None;
        for (source, name) in self.named(request)? {
            let record = self.look_up(source, &name).await?;
            match &named {
                Some(first) if first.id != record.id => return Err(Denied::Mismatch),
                _ => named = Some(record),
            }
        }
        let record = named.ok_or(Denied::NoTenant)?;
        Denied::of(record.status).map_or(Ok(record), Err)
    }

    /// Where the request names a tenant, and how.
    fn named<'r>(&self, request: &'r Parts) -> Result<Vec<(&Source, Cow<'r, str>)>, Denied> {
        let mut named = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            match source.read(request)? {
                Some(name) => named.push((source, name)),
                None if source.required => return Err(Denied::NoTenant),
                None => {}
            }
        }
        Ok(named)
    }

    /// All proofs that the request has, which must be of the same tenant and of the same actor.
    async fn prove(&self, request: &Parts) -> Result<Option<Tenant>, Denied> {
        let mut proven: Option<Tenant> = None;
        for proof in &self.proofs {
            let Some(tenant) = proof.prove(request).await? else { continue };
            match &proven {
                None => proven = Some(tenant),
                Some(first) if *first == tenant => {}
                Some(_) => return Err(Denied::Mismatch),
            }
        }
        Ok(proven)
    }

    async fn look_up(&self, source: &Source, name: &str) -> Result<Arc<TenantRecord>, Denied> {
        found(match source.by {
            By::Id => self.directory.by_id(&name.parse().map_err(|_| Denied::Unknown)?).await,
            By::Slug => self.directory.by_slug(name).await,
            By::Domain => self.directory.by_domain(name).await,
        })
    }
}

fn found<E>(answer: Result<Option<Arc<TenantRecord>>, E>) -> Result<Arc<TenantRecord>, Denied> {
    answer.map_err(|_| Denied::Unavailable)?.ok_or(Denied::Unknown)
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("TenantLayer");
        out.field("sources", &self.sources).field("proofs", &self.proofs.len()).field("ambient", &self.ambient);
        out.finish_non_exhaustive()
    }
}
