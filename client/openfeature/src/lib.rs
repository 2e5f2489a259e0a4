//! Tenants' features and settings as flags of [OpenFeature](https://openfeature.dev): an application that speaks
//! OpenFeature needs to know nothing of pg_tenant where it asks.
//!
//! ```no_run
//! # async fn example(pool: pg_tenant_client::TenantPool) {
//! use pg_tenant_openfeature::Provider;
//! use pg_tenant_openfeature::open_feature::{EvaluationContext, OpenFeature};
//!
//! let mut api = OpenFeature::singleton_mut().await;
//! api.set_provider(Provider::new(pool)).await;
//! let client = api.create_client();
//! let acme = EvaluationContext::default().with_targeting_key("acme");
//! let export = client.get_bool_value("export", Some(&acme), None).await.unwrap_or(false);
//! # }
//! ```
#![forbid(unsafe_code)]

mod provider;
mod value;

pub use open_feature;
pub use provider::Provider;
