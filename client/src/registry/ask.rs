//! Asking the database what concerns no tenant's rows.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::error::Error;
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::share::Holder;

impl TenantPool {
    /// Asks something with no tenant entered, in a transaction of its own: what concerns no tenant's rows.
    pub(crate) async fn ask(&self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, Error> {
        let mut spare = self.max_size;
        let mut lease = self.lease_for(Holder::Registry).await?;
        loop {
            let answer = lease.depart().client.query_typed(sql, params).await;
            lease.arrive(false);
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
