//! Consuming of a meter.

use crate::error::Error;
use crate::error::usage::Usage;
use crate::tenant::charge::{Charge, Riding};
use crate::tx::open_tx::OpenTx;
use crate::tx::tenant_tx::TenantTx;
use crate::wire::sql::literal;

/// What it gives: used, limit, remaining, seconds until it resets.
pub(crate) const CONSUME: &str = "select used::pg_catalog.float8, \"limit\"::pg_catalog.float8, remaining::pg_catalog.float8, \
     extract(epoch from resets_at operator(pg_catalog.-) pg_catalog.clock_timestamp())::pg_catalog.float8 \
     from tenant.consume($1, $2::pg_catalog.float8::pg_catalog.numeric)";

/// Consumes, in the message that begins. A transaction that is read-only counts nothing.
pub(crate) fn consume_first(charge: &Charge) -> String {
    let (meter, amount) = (literal(charge.meter()), charge.amount());
    let unless = "pg_catalog.current_setting('transaction_read_only') operator(pg_catalog.=) 'off'";
    format!(
        "select used from tenant.consume({meter}, '{amount}'::pg_catalog.float8::pg_catalog.numeric) where {unless}"
    )
}

impl TenantTx {
    /// Consumes an amount of a meter, in the meter's unit: it is counted once, if the transaction commits.
    ///
    /// ```no_run
    /// # async fn example(pool: pg_tenant_client::TenantPool) -> Result<(), pg_tenant_client::Error> {
    /// let mut tx = pool.tenant("acme").begin().await?;
    /// let usage = tx.consume("api_calls", 3).await?;
    /// println!("{} of {:?} used", usage.used, usage.limit);
    /// tx.commit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::is_over_quota`] (`TN171`) above the tenant's limit, `TN170` where there is no such meter, `TN172` an
    /// amount below 0, and those of [`query`](Self::query).
    pub async fn consume(&mut self, meter: &str, amount: impl Into<f64>) -> Result<Usage, Error> {
        let amount: f64 = amount.into();
        let row = self.query_one(CONSUME, &[&meter, &amount]).await?;
        Ok(Usage::told(meter, row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
    }
}

impl OpenTx {
    /// Takes along what the running request is charged for.
    pub(super) fn take_along(&mut self, riding: Riding) {
        self.opening.push_text(consume_first(riding.charge()));
        self.riding = Some(riding);
    }

    /// A call has failed: of the charge, maybe.
    pub(super) fn note_refusal(&self, error: &Error) {
        if let (Some(riding), Some(usage)) = (&self.riding, error.usage()) {
            riding.refuse(usage);
        }
    }

    /// A commit was answered, or was not.
    pub(super) fn note_commit(&mut self, done: &Result<(), Error>) {
        if let Some(riding) = self.riding.take()
            && done.as_ref().map_or_else(Error::outcome_unknown, |()| true)
        {
            riding.keep();
        }
    }
}
