//! Tenants that are set up in steps, with the feature `onboarding`: the steps, and the worker that takes them.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_tenant_client::admin::NewTenant;
//! use pg_tenant_client::onboarding::{Onboarding, OutsideStep, Runner, Step, TenantStep};
//! use pg_tenant_client::TenantPool;
//!
//! // A role of its own: create role provisioning login in role tenant_admin, tenant_user;
//! let pool = TenantPool::builder("host=localhost user=provisioning dbname=shop".parse()?).max_size(8).build()?;
//!
//! let onboarding = Onboarding::new(pool)
//!     // In a transaction of the tenant, which is committed together with the step's end.
//!     .step(Step::in_tenant("owner", async |mut step: TenantStep| {
//!         let email: String = step.input("email")?;
//!         let row = step.tx().query_one("insert into members (email) values ($1) returning id", &[&email]).await?;
//!         Ok(row.get::<_, i64>(0))
//!     }))
//!     // Outside of the database: it may happen twice, with the same key.
//!     .step(
//!         Step::outside("billing", async |step: OutsideStep| Ok(open_account(step.idempotency_key()).await?))
//!             .after("owner")
//!             .undo(async |step, account: Option<String>| Ok(close_account(step.idempotency_key(), account).await?)),
//!     );
//!
//! // At sign-up: the tenant is registered, and entered by nobody else until its last step is done.
//! onboarding.begin(NewTenant::new("acme").slug("acme"), &serde_json::json!({"email": "ann@acme.example"})).await?;
//!
//! // In as many processes as there shall be.
//! let runner = Runner::new(onboarding).concurrency(4).start();
//! runner.drain().await;
//! # Ok(()) }
//! # async fn open_account(key: &str) -> Result<String, std::io::Error> { todo!() }
//! # async fn close_account(key: &str, account: Option<String>) -> Result<(), std::io::Error> { todo!() }
//! ```
//!
//! A step in the database happens once or not at all, whenever its worker is killed: `tenant.finish_step` stands in its
//! transaction, and is refused (`TN154`) where the step is another attempt's. A step outside of it happens at least
//! once. A worker says every third of a lease that it still works on a step; when a worker is silent for a whole lease,
//! others take the step, as its next attempt. What went wrong is tried again later, and after the last attempt an
//! operator decides: [`Onboarding::retry`] or [`Onboarding::abandon`]. The doctor's finding T132 names steps that are
//! stuck.
//!
//! Over tokio-postgres. A step that needs sqlx is one outside of the database, or calls it there.

mod attempt;
mod claim;
mod context;
mod ready;
mod runner;
mod running;
mod step;
mod steps;
mod upkeep;

pub use context::{OutsideStep, StepContext, SystemStep, TenantStep};
pub use ready::ReadyTenant;
pub use runner::Runner;
pub use running::RunningRunner;
pub use step::Step;
pub use steps::Onboarding;

pub use crate::worker::WorkError as StepError;
