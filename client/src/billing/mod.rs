//! What payment providers say, with the feature `billing`: a webhook that verifies it and hands it to
//! `tenant.apply_billing_event`, from which plan and state of a tenant follow.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_tenant_client::TenantPool;
//! use pg_tenant_client::billing::{Stripe, Webhook};
//!
//! // A login of its own, which may do nothing else: create role billing login in role tenant_billing;
//! let pool = TenantPool::builder("host=localhost user=billing dbname=shop".parse()?).max_size(2).build()?;
//! let stripe = Stripe::new(std::env::var("STRIPE_WEBHOOK_SECRET")?)
//!     .plan(|price| match price { "price_pro_monthly" | "price_pro_yearly" => Some("pro".into()), _ => None });
//! let app: axum::Router = axum::Router::new().merge(Webhook::new(pool, stripe).router("/webhooks/stripe"));
//! # let _ = app;
//! # Ok(()) }
//! ```
//!
//! Providers send an event more than once, late, and in any order: the server keeps each once, and a tenant's state
//! follows from all of them, not from their order. The answer is 2xx after the commit alone, so what was not kept is
//! sent again. Which tenant a provider's customer is, operators say (`tenant.link_billing_customer`): an event names
//! none.

mod event;
mod provider;
mod stripe;
mod webhook;

pub use event::BillingEvent;
pub use provider::{BillingProvider, Unverified};
pub use stripe::Stripe;
pub use webhook::Webhook;
