//! Queries about the registry, which read no tenant's rows.

use ::sqlx::Row;
use ::sqlx::postgres::PgRow;

use super::lease::Lease;
use super::pool::TenantPool;
use crate::error::Error;
use crate::pool::lease::Wire;
use crate::pool::lookup::{LOOKUP, LookupMatch, is_final};
#[cfg(feature = "directory")]
use crate::registry::lookup::FIND;
#[cfg(feature = "directory")]
use crate::registry::{LookupFuture, LookupKey, TenantLookup, TenantRecord};
use crate::tenant::share::Share;

impl TenantPool {
    /// As [`lookup`](crate::TenantPool::lookup) over tokio-postgres: the tenant and the row of a value in a column that
    /// `tenant.allow_lookup` has declared.
    ///
    /// # Errors
    /// Those of [`lookup`](crate::TenantPool::lookup).
    pub async fn lookup(&self, table: &str, column: &str, value: &str) -> Result<Vec<LookupMatch>, Error> {
        let rows = self.query_without_tenant(LOOKUP, &[Some(table), Some(column), Some(value)]).await?;
        rows.iter().map(|row| LookupMatch::read(row.try_get(0)?, row.try_get(1)?)).collect()
    }

    /// Runs a query that concerns no tenant's rows, with no tenant entered and in a transaction of its own.
    pub(crate) async fn query_without_tenant(
        &self,
        sql: &'static str,
        params: &[Option<&str>],
    ) -> Result<Vec<PgRow>, Error> {
        let patience = self.pool.options().get_acquire_timeout();
        let mut permit = Some(self.admission.admit(Share::Registry, Some(patience)).await?);
        let mut spare = self.pool.size() as usize + 1;
        loop {
            let mut lease = Lease::new(&self.pool, self.pooler, permit).await?;
            // sqlx sends a statement in two parts, which a pooler could give to two sessions.
            let lent = self.pooler.lends_sessions();
            if lent {
                lease.state.open = true;
                lease.run("begin".to_owned()).await?;
            }
            let (connection, state) = lease.parts();
            state.wire = Wire::Awaiting;
            let query = params.iter().fold(::sqlx::query(sql).persistent(false), |query, param| query.bind(*param));
            let answer = query.fetch_all(connection).await;
            state.wire = Wire::Quiet;
            let error = match answer {
                Ok(rows) => {
                    if lent {
                        lease.run("commit".to_owned()).await?;
                        lease.state.open = false;
                    }
                    return Ok(rows);
                }
                Err(error) => Error::from(error),
            };
            // What an earlier borrower left, such as SET ROLE, may be the reason: another connection is asked.
            if is_final(&error) || error.is_timeout() || spare == 0 {
                return Err(error.at_entry());
            }
            state.discard = true;
            permit = lease.give_up();
            spare -= 1;
        }
    }
}

#[cfg(feature = "directory")]
impl TenantLookup for TenantPool {
    fn find<'a>(&'a self, what: LookupKey<'a>) -> LookupFuture<'a> {
        Box::pin(async move {
            let rows = self.query_without_tenant(FIND, &what.keys()).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let record = TenantRecord::read(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            record.map(Some)
        })
    }
}
