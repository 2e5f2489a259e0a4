//! Queueing jobs, in the transaction that wants them done.

use tokio_postgres::types::ToSql;

use super::job::{Job, JobOptions};
use crate::danger::SystemTx;
use crate::error::{Error, Kind};
use crate::tx::tenant_tx::TenantTx;

/// A call of `tenant.enqueue_many`, for either driver: every parameter, as text where it is JSON.
pub(crate) struct Queued {
    pub(crate) payloads: Vec<String>,
    pub(crate) options: JobOptions,
    pub(crate) trace: Option<String>,
}

/// `$1` the kind, `$2` the payload, `$3` the key, `$4` when, in seconds since 1970, `$5` the lane, `$6` the priority,
/// `$7` how often, `$8` the trace.
pub(crate) const ENQUEUE: &str = "select tenant.enqueue($1::text, $2::text::jsonb, $3::text, to_timestamp($4::float8),
    $5::text,
    $6::int, $7::int, $8::text)";
/// The same, where `$2` are payloads and `$3` is null.
pub(crate) const ENQUEUE_MANY: &str = "select tenant.enqueue_many($1::text, $2::text[]::jsonb[], $3::text[],
    to_timestamp($4::float8), $5::text, $6::int, $7::int, $8::text)";

/// The system's: `$9` is the reason.
const ENQUEUE_SYSTEM: &str = "select tenant.enqueue_system($1::text, $2::text::jsonb, $9::text, $3::text,
    to_timestamp($4::float8), $5::text, $6::int, $7::int, $8::text)";

impl Queued {
    pub(crate) fn new<J: Job>(jobs: &[J], options: &JobOptions) -> Result<Queued, Error> {
        let written = |job: &J| {
            serde_json::to_string(job).map_err(|why| {
                Error::new(Kind::Driver, format!("the job \"{}\" cannot be written as JSON: {why}", J::KIND))
                    .with_source(why)
            })
        };
        let payloads = jobs.iter().map(written).collect::<Result<_, _>>()?;
        Ok(Queued { payloads, options: options.clone(), trace: options.traceparent() })
    }
}

impl TenantTx {
    /// Queues a job of this tenant and returns its id: it is done if this transaction is committed. See
    /// [`jobs`](crate::jobs).
    ///
    /// # Errors
    /// `TN161` where the kind is malformed; the error of `serde_json` as the source where the job cannot be written.
    pub async fn enqueue<J: Job>(&mut self, job: &J) -> Result<i64, Error> {
        self.enqueue_with(job, &JobOptions::new()).await
    }

    /// As [`enqueue`](Self::enqueue), otherwise than its kind says. With a key, the id may be that of a job that was
    /// queued before.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue); `TN161` where one of the options cannot be.
    pub async fn enqueue_with<J: Job>(&mut self, job: &J, options: &JobOptions) -> Result<i64, Error> {
        let queued = Queued::new(std::slice::from_ref(job), options)?;
        let o = &queued.options;
        let params: [&(dyn ToSql + Sync); 8] = [
            &J::KIND,
            &queued.payloads[0],
            &o.key,
            &o.since_1970(),
            &o.lane,
            &o.priority,
            &o.max_attempts,
            &queued.trace,
        ];
        Ok(self.query_one(ENQUEUE, &params).await?.try_get(0)?)
    }

    /// Queues many jobs of one kind in one statement, and returns their ids in order. Not with a key, of which each
    /// job would have the same.
    ///
    /// # Errors
    /// As [`enqueue_with`](Self::enqueue_with).
    pub async fn enqueue_many<J: Job>(&mut self, jobs: &[J], options: &JobOptions) -> Result<Vec<i64>, Error> {
        if options.key.is_some() {
            return Err(Error::new(Kind::Driver, "jobs that are queued together cannot have one key"));
        }
        let queued = Queued::new(jobs, options)?;
        let (o, keys) = (&queued.options, None::<Vec<Option<String>>>);
        let params: [&(dyn ToSql + Sync); 8] =
            [&J::KIND, &queued.payloads, &keys, &o.since_1970(), &o.lane, &o.priority, &o.max_attempts, &queued.trace];
        let rows = self.query(ENQUEUE_MANY, &params).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

impl SystemTx {
    /// Queues a job that is done **across tenants**, in the system context, for this reason (see
    /// [`Worker::on_system`](super::Worker::on_system)), and returns its id.
    ///
    /// # Errors
    /// Those of [`TenantTx::enqueue_with`]; `TN029` without a reason.
    pub async fn enqueue_system<J: Job>(&mut self, job: &J, reason: &str, options: &JobOptions) -> Result<i64, Error> {
        let queued = Queued::new(std::slice::from_ref(job), options)?;
        let o = &queued.options;
        let when = o.since_1970();
        let params: [&(dyn ToSql + Sync); 9] = [
            &J::KIND,
            &queued.payloads[0],
            &o.key,
            &when,
            &o.lane,
            &o.priority,
            &o.max_attempts,
            &queued.trace,
            &reason,
        ];
        Ok(self.query_one(ENQUEUE_SYSTEM, &params).await?.try_get(0)?)
    }
}
