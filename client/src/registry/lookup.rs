//! Where a directory looks tenants up.

use std::pin::Pin;

use pg_tenant_core::TenantId;
use tokio_postgres::types::{ToSql, Type};

use super::record::TenantRecord;
use crate::error::Error;
use crate::pool::tenant_pool::TenantPool;

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LookupKey<'a> {
    /// The tenant with this slug.
    Slug(&'a str),
    /// The tenant with this id.
    Id(&'a TenantId),
    /// The tenant that has proved this domain to be its own (`tenant.verify_domain`), in lower case.
    Domain(&'a str),
}

/// Where a [`Directory`](super::Directory) looks tenants up: a pool of either driver, or a source of your own.
pub trait TenantLookup: Send + Sync + 'static {
    /// The tenant's record, or none.
    ///
    /// # Errors
    /// Those of the lookup. They are not cached.
    fn find<'a>(&'a self, what: LookupKey<'a>) -> LookupFuture<'a>;
}

/// The record, once the lookup has answered: `None` where there is no such tenant.
pub type LookupFuture<'a> = Pin<Box<dyn Future<Output = Result<Option<TenantRecord>, Error>> + Send + 'a>>;

pub(crate) const FIND: &str =
    "select id, slug, plan, status from tenant.find(by_slug => $1, by_id => $2, by_domain => $3)";

impl LookupKey<'_> {
    /// The parameters of [`FIND`]: a slug, an id, a domain.
    pub(crate) fn keys(&self) -> [Option<&str>; 3] {
        match self {
            LookupKey::Slug(slug) => [Some(slug), None, None],
            LookupKey::Id(id) => [None, Some(id.as_str()), None],
            LookupKey::Domain(domain) => [None, None, Some(domain)],
        }
    }
}

impl TenantLookup for TenantPool {
    fn find<'a>(&'a self, what: LookupKey<'a>) -> LookupFuture<'a> {
        Box::pin(async move {
            let [slug, id, domain] = what.keys();
            let keys: [(&(dyn ToSql + Sync), Type); 3] =
                [(&slug, Type::TEXT), (&id, Type::TEXT), (&domain, Type::TEXT)];
            let rows = self.query_without_tenant(FIND, &keys).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let record = TenantRecord::read(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            record.map(Some)
        })
    }
}
