//! What the payment provider says, on a login that may do nothing else.

use axum::Router;
use pg_tenant_client::TenantPool;
use pg_tenant_client::billing::{Stripe, Webhook};

use crate::config::Billing;

/// The provider's prices, and which plan each is.
fn plan(price: &str) -> Option<String> {
    match price {
        "gold_monthly" | "gold_yearly" => Some("gold".to_owned()),
        _ => None,
    }
}

/// `POST /webhooks/stripe`.
pub fn routes(billing: &Billing) -> Result<Router, Box<dyn std::error::Error>> {
    let pool = TenantPool::builder(billing.database.parse()?).max_size(2).build()?;
    Ok(Webhook::new(pool, Stripe::new(&billing.secret).plan(plan)).router("/webhooks/stripe"))
}
