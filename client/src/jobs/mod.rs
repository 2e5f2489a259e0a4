//! Work that is queued in a tenant's transaction and done inside that tenant, with the feature `jobs`: kinds of jobs,
//! the worker that does them, and schedules.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pg_tenant_client::TenantPool;
//! use pg_tenant_client::jobs::{Job, JobTx, Worker};
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct SendInvoice {
//!     order: i64,
//! }
//!
//! impl Job for SendInvoice {
//!     const KIND: &'static str = "invoice.send";
//! }
//!
//! // Where an order is made: with it committed, or not at all.
//! # let app = TenantPool::builder("host=localhost user=app dbname=shop".parse()?).build()?;
//! let mut tx = app.tenant("acme").begin().await?;
//! tx.enqueue(&SendInvoice { order: 7 }).await?;
//! tx.commit().await?;
//!
//! // In as many processes as there shall be; create role worker login in role tenant_user, tenant_worker;
//! let pool = TenantPool::builder("host=localhost user=worker dbname=shop".parse()?).max_size(9).build()?;
//! let worker = Worker::new(pool)
//!     .on(async |mut tx: JobTx, job: SendInvoice| {
//!         tx.execute("update orders set invoiced = now() where id = $1", &[&job.order]).await?;
//!         Ok(())
//!     })
//!     .concurrency(8)
//!     .start();
//! worker.drain().await;
//! # Ok(()) }
//! ```
//!
//! What a job does in its transaction happens **once**: `tenant.finish_job` stands in it, commits with it, and is
//! refused (`TN160`) where the attempt is over. What it does elsewhere happens **at least once**: a worker that is
//! killed after it has no way to say so. [`Worker::on_outside`] is for those, with a key that is the same each time.
//!
//! A worker says every third of a lease which jobs it still works on; when it is silent for a whole lease, others take
//! them, as their next attempts. A job fails by an `Err`, a panic or its kind's time limit, and is tried again after a
//! pause; after the last attempt it is dead until an operator says so (`tenant.retry_job`). A job of a tenant that was
//! suspended meanwhile is given back, and waits.
//!
//! Jobs go through the database, in the transaction that wants them. Work that is queued elsewhere (Redis, SQS, Kafka)
//! carries its tenant in an `Envelope`: see the crate's README for when to use which.

mod attempt;
mod claim;
mod connect;
mod context;
mod cron;
mod enqueue;
mod handlers;
mod job;
mod pools;
mod running;
mod scheduler;
mod upkeep;
mod wake;
mod work;
mod worker;

pub use context::{JobContext, JobTx, OutsideJob, SystemJobTx};
pub use job::{Job, JobOptions};
pub use running::{RunningScheduler, RunningWorker};
pub use scheduler::Scheduler;
pub use worker::Worker;

pub use crate::worker::WorkError as JobError;
#[cfg(feature = "sqlx")]
pub(crate) use enqueue::{ENQUEUE, ENQUEUE_MANY, Queued};
