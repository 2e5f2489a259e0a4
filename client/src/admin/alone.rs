//! A statement of an operator's.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::error::Error;
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::share::Share;

/// Runs one statement, with no tenant entered and in a transaction of its own.
pub(crate) async fn run_alone(
    pool: &TenantPool,
    sql: &str,
    params: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>, Error> {
    let mut spare = pool.max_size;
    let mut lease = pool.lease_for(Share::NoTenant, None).await?;
    loop {
        let answer = lease.start_call().client.query_typed(sql, params).await;
        lease.finish_call(false);
        let error = match answer {
            Ok(rows) => return Ok(rows),
            Err(error) => Error::from(error),
        };
        // What failed took no effect; what an earlier borrower left, such as SET ROLE, may be the reason.
        if error.code() == Some("42501") && !lease.is_new() && spare > 0 {
            let permit = lease.give_up();
            lease = pool.lease_with(permit).await?;
            spare -= 1;
            continue;
        }
        let unanswered = error.code().is_none() && error.is_closed() && !error.was_not_executed();
        return Err(if unanswered { error.maybe_committed() } else { error });
    }
}
