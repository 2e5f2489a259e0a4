//! Consuming of a meter, over sqlx.

use ::sqlx::Row;

use super::tenant_tx::TenantTx;
use crate::error::Error;
use crate::error::usage::Usage;
use crate::tx::usage::CONSUME;

impl TenantTx {
    /// Consumes an amount of a meter, in the meter's unit: it is counted once, if the transaction commits. One round
    /// trip.
    ///
    /// # Errors
    /// [`Error::is_over_quota`] (`TN171`) above the tenant's limit, `TN170` where there is no such meter, `TN172` an
    /// amount below 0.
    pub async fn consume(&mut self, meter: &str, amount: impl Into<f64>) -> Result<Usage, Error> {
        let amount: f64 = amount.into();
        let row = ::sqlx::query(CONSUME).bind(meter).bind(amount).fetch_one(self).await?;
        Ok(Usage::told(meter, row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
    }
}
