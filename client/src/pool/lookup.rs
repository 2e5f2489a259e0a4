//! Queries with no tenant entered: the registry's, and `tenant.lookup`.

use pg_tenant_core::TenantId;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::error::Error;
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::share::Share;

/// A row that [`TenantPool::lookup`] has found, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookupMatch {
    /// The row's tenant.
    pub tenant: TenantId,
    /// The row's own key column (`tenant.lookups.row_column`), as text.
    pub row_id: String,
}

pub(crate) const LOOKUP: &str = "select tenant_id, row_id from tenant.lookup($1::text::regclass, $2::text::name, $3)";

impl LookupMatch {
    pub(crate) fn read(tenant: &str, row_id: String) -> Result<LookupMatch, Error> {
        Ok(LookupMatch { tenant: tenant.parse().map_err(Error::malformed)?, row_id })
    }
}

impl TenantPool {
    /// Finds the tenant and the row of a value before a tenant is known: who has this e-mail, API key or host name.
    /// Calls `tenant.lookup`, for which the table's owner has declared the column: `select
    /// tenant.allow_lookup('members', 'email', 'sign-in')`. It tells nothing else of the row.
    ///
    /// ```no_run
    /// # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
    /// for member in pool.lookup("members", "email", "ann@example.com").await? {
    ///     let of = "select role from members where id = $1::text::int8";
    ///     let row = pool.tenant(member.tenant).query_one(of, &[&member.row_id]).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `TN056` where the column is not declared, `TN058` where too many rows have the value or the login has looked up
    /// too often (`pg_tenant.max_lookups_per_minute`); those of getting a connection (see [`check`](Self::check)).
    pub async fn lookup(&self, table: &str, column: &str, value: &str) -> Result<Vec<LookupMatch>, Error> {
        let params: [(&(dyn ToSql + Sync), Type); 3] =
            [(&table, Type::TEXT), (&column, Type::TEXT), (&value, Type::TEXT)];
        let rows = self.query_without_tenant(LOOKUP, &params).await?;
        rows.iter().map(|row| LookupMatch::read(row.try_get(0)?, row.try_get(1)?)).collect()
    }

    /// Runs a query that concerns no tenant's rows, with no tenant entered and in a transaction of its own.
    pub(crate) async fn query_without_tenant(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Error> {
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
            if lease.is_new() || is_final(&error) || spare == 0 {
                return Err(error.at_entry());
            }
            let permit = lease.give_up();
            lease = self.lease_with(permit).await?;
            spare -= 1;
        }
    }
}

/// It fails on whatever connection: pg_tenant's own refusals, values and names.
pub(crate) fn is_final(error: &Error) -> bool {
    let named = |code: &str| code.starts_with("22") || matches!(code, "42P01" | "42602" | "42703");
    error.refusal().is_some() || error.code().is_some_and(named)
}
