//! Queries about the registry, which read no tenant's rows.

use ::sqlx::Row;
use ::sqlx::postgres::PgRow;

use super::lease::Lease;
use super::pool::TenantPool;
use crate::error::Error;
use crate::pool::lease::Wire;
use crate::registry::lookup::FIND;
use crate::registry::{LookupFuture, LookupKey, TenantLookup, TenantRecord};
use crate::tenant::share::Share;

impl TenantPool {
    /// Runs a query that concerns no tenant's rows, with no tenant entered and in a transaction of its own.
    pub(crate) async fn lookup(
        &self,
        sql: &'static str,
        first: Option<&str>,
        second: Option<&str>,
    ) -> Result<Option<PgRow>, Error> {
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
            let query = ::sqlx::query(sql).bind(first).bind(second).persistent(false);
            let answer = query.fetch_optional(connection).await;
            state.wire = Wire::Quiet;
            let error = match answer {
                Ok(row) => {
                    if lent {
                        lease.run("commit".to_owned()).await?;
                        lease.state.open = false;
                    }
                    return Ok(row);
                }
                Err(error) => Error::from(error),
            };
            // What an earlier borrower left, such as SET ROLE, may be the reason: another connection is asked.
            if error.refusal().is_some() || error.is_timeout() || spare == 0 {
                return Err(error.at_entry());
            }
            state.discard = true;
            permit = lease.give_up();
            spare -= 1;
        }
    }
}

impl TenantLookup for TenantPool {
    fn find<'a>(&'a self, what: LookupKey<'a>) -> LookupFuture<'a> {
        Box::pin(async move {
            let (slug, id) = what.keys();
            let Some(row) = self.lookup(FIND, slug, id).await? else { return Ok(None) };
            let record = TenantRecord::read(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            record.map(Some)
        })
    }
}
