//! Where a directory looks tenants up.

use std::pin::Pin;

use pg_tenant_core::TenantId;
use tokio_postgres::types::Type;

use super::record::TenantRecord;
use crate::error::Error;
use crate::pool::tenant_pool::TenantPool;

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Find<'a> {
    /// The tenant with this slug.
    Slug(&'a str),
    /// The tenant with this id.
    Id(&'a TenantId),
}

/// Where a [`Directory`](super::Directory) looks tenants up: a pool, of either driver, or one's own.
pub trait Registry: Send + Sync + 'static {
    /// The tenant, or none.
    fn find<'a>(&'a self, what: Find<'a>) -> Answer<'a>;
}

/// What a registry answers, when it does.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Option<TenantRecord>, Error>> + Send + 'a>>;

const FIND: &str = "select id, slug, plan, status from tenant.find(by_slug => $1, by_id => $2)";

impl Find<'_> {
    /// The parameters of [`FIND`]: a slug, an id.
    fn keys(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Find::Slug(slug) => (Some(slug), None),
            Find::Id(id) => (None, Some(id.as_str())),
        }
    }
}

impl Registry for TenantPool {
    fn find<'a>(&'a self, what: Find<'a>) -> Answer<'a> {
        Box::pin(async move {
            let (slug, id) = what.keys();
            let rows = self.ask(FIND, &[(&slug, Type::TEXT), (&id, Type::TEXT)]).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let record = TenantRecord::read(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            record.map(Some)
        })
    }
}

#[cfg(feature = "sqlx")]
impl Registry for crate::sqlx::TenantPool {
    fn find<'a>(&'a self, what: Find<'a>) -> Answer<'a> {
        use sqlx::Row;
        Box::pin(async move {
            let (slug, id) = what.keys();
            let Some(row) = self.ask(FIND, slug, id).await? else { return Ok(None) };
            let record = TenantRecord::read(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            record.map(Some)
        })
    }
}
