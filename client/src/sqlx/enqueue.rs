//! Queueing jobs over sqlx.

use ::sqlx::Row;

use super::tenant_tx::TenantTx;
use crate::error::{Error, Kind};
use crate::jobs::{ENQUEUE, ENQUEUE_MANY, Job, JobOptions, Queued};

impl TenantTx {
    /// As [`enqueue`](crate::TenantTx::enqueue) over tokio-postgres: queues a job of this tenant and returns its id.
    ///
    /// # Errors
    /// Those of [`enqueue`](crate::TenantTx::enqueue).
    pub async fn enqueue<J: Job>(&mut self, job: &J) -> Result<i64, Error> {
        self.enqueue_with(job, &JobOptions::new()).await
    }

    /// As [`enqueue_with`](crate::TenantTx::enqueue_with) over tokio-postgres.
    ///
    /// # Errors
    /// Those of [`enqueue_with`](crate::TenantTx::enqueue_with).
    pub async fn enqueue_with<J: Job>(&mut self, job: &J, options: &JobOptions) -> Result<i64, Error> {
        let Queued { mut payloads, options: o, trace } = Queued::new(std::slice::from_ref(job), options)?;
        let query = ::sqlx::query(ENQUEUE).bind(J::KIND).bind(payloads.pop()).bind(o.key.clone());
        let query = query.bind(o.since_1970()).bind(o.lane).bind(o.priority).bind(o.max_attempts).bind(trace);
        Ok(query.fetch_one(&mut *self).await?.try_get(0)?)
    }

    /// As [`enqueue_many`](crate::TenantTx::enqueue_many) over tokio-postgres.
    ///
    /// # Errors
    /// Those of [`enqueue_many`](crate::TenantTx::enqueue_many).
    pub async fn enqueue_many<J: Job>(&mut self, jobs: &[J], options: &JobOptions) -> Result<Vec<i64>, Error> {
        if options.key.is_some() {
            return Err(Error::new(Kind::Driver, "jobs that are queued together cannot have one key"));
        }
        let Queued { payloads, options: o, trace } = Queued::new(jobs, options)?;
        let query = ::sqlx::query(ENQUEUE_MANY).bind(J::KIND).bind(payloads).bind(None::<Vec<Option<String>>>);
        let query = query.bind(o.since_1970()).bind(o.lane).bind(o.priority).bind(o.max_attempts).bind(trace);
        let rows = query.fetch_all(&mut *self).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
