//! Where a directory looks tenants up.

use std::pin::Pin;

use pg_tenant_core::TenantId;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::record::TenantRecord;
use crate::error::Error;
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::share::Share;

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LookupKey<'a> {
    /// The tenant with this slug.
    Slug(&'a str),
    /// The tenant with this id.
    Id(&'a TenantId),
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

pub(crate) const FIND: &str = "select id, slug, plan, status from tenant.find(by_slug => $1, by_id => $2)";

impl LookupKey<'_> {
    /// The parameters of [`FIND`]: a slug, an id.
    pub(crate) fn keys(&self) -> (Option<&str>, Option<&str>) {
        match self {
            LookupKey::Slug(slug) => (Some(slug), None),
            LookupKey::Id(id) => (None, Some(id.as_str())),
        }
    }
}

impl TenantLookup for TenantPool {
    fn find<'a>(&'a self, what: LookupKey<'a>) -> LookupFuture<'a> {
        Box::pin(async move {
            let (slug, id) = what.keys();
            let rows = self.lookup(FIND, &[(&slug, Type::TEXT), (&id, Type::TEXT)]).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let record = TenantRecord::read(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            record.map(Some)
        })
    }
}

impl TenantPool {
    /// Runs a query that concerns no tenant's rows, with no tenant entered and in a transaction of its own.
    pub(crate) async fn lookup(&self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, Error> {
        let mut spare = self.max_size;
        let mut lease = self.lease_for(Share::Registry, None).await?;
        loop {
            let answer = lease.start_call().client.query_typed(sql, params).await;
            lease.finish_call(false);
            let error = match answer {
                Ok(rows) => return Ok(rows),
                Err(error) => Error::from(error),
            };
            // What an earlier borrower left, such as SET ROLE, may be the reason: another connection is asked.
            if lease.is_new() || error.refusal().is_some() || spare == 0 {
                return Err(error.at_entry());
            }
            let permit = lease.give_up();
            lease = self.lease_with(permit).await?;
            spare -= 1;
        }
    }
}
