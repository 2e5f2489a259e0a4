//! What a worker asks the server for: claims, longer leases, ends.

use std::time::Duration;

use pg_tenant_core::{Refusal, TenantId};
use tokio_postgres::types::{ToSql, Type};

use crate::admin::alone::run_alone;
use crate::error::Error;
use crate::pool::tenant_pool::TenantPool;
use crate::worker::WorkError;

/// A job that this worker has, until somebody else has.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) id: i64,
    /// None: the system's.
    pub(super) tenant: Option<TenantId>,
    pub(super) kind: String,
    pub(super) attempt: i32,
    pub(super) time_limit: Option<Duration>,
    pub(super) trace: Option<String>,
    /// The system's: why its context is entered.
    pub(super) reason: Option<String>,
}

const CLAIM: &str = "select id, tenant_id, kind, attempt, extract(epoch from time_limit)::float8, trace, reason
    from tenant.claim_jobs($1, $2, $3, $4, make_interval(secs => $5))";
const EXTEND: &str = "select * from tenant.extend_jobs($1, $2, make_interval(secs => $3))";
const FAIL: &str = "select tenant.fail_job($1, $2, $3, make_interval(secs => $4), $5)";
const RELEASE: &str = "select tenant.release_job($1, $2)";
/// `$1` the job, `$2` the attempt: payload and key.
pub(super) const TAKE: &str = "select payload::text from tenant.take_job($1::bigint, $2::int)";
/// `$1` the job, `$2` the attempt, `$3` the result.
pub(super) const FINISH: &str = "select tenant.finish_job($1::bigint, $2::int, $3::text::jsonb)";

/// What a worker may claim.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) worker: String,
    pub(super) lanes: Option<Vec<String>>,
    pub(super) kinds: Vec<String>,
    pub(super) lease: Duration,
}

impl Wanted {
    pub(super) async fn claim(&self, pool: &TenantPool, at_most: usize) -> Result<Vec<Claim>, Error> {
        let (seconds, at_most) = (self.lease.as_secs_f64(), i32::try_from(at_most.min(1000)).unwrap_or(1));
        let params: [(&(dyn ToSql + Sync), Type); 5] = [
            (&self.worker, Type::TEXT),
            (&self.lanes, Type::TEXT_ARRAY),
            (&self.kinds, Type::TEXT_ARRAY),
            (&at_most, Type::INT4),
            (&seconds, Type::FLOAT8),
        ];
        let rows = run_alone(pool, CLAIM, &params).await.map_err(of_a_worker)?;
        let claim = |row: &tokio_postgres::Row| {
            let tenant: Option<&str> = row.try_get(1)?;
            let limit: Option<f64> = row.try_get(4)?;
            Ok(Claim {
                id: row.try_get(0)?,
                tenant: tenant.map(str::parse).transpose().map_err(Error::malformed)?,
                kind: row.try_get(2)?,
                attempt: row.try_get(3)?,
                time_limit: limit.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
                trace: row.try_get(5)?,
                reason: row.try_get(6)?,
            })
        };
        rows.iter().map(claim).collect()
    }

    /// The ids of those jobs that are still this worker's.
    pub(super) async fn extend(&self, pool: &TenantPool, ids: &[i64], attempts: &[i32]) -> Result<Vec<i64>, Error> {
        let seconds = self.lease.as_secs_f64();
        let params: [(&(dyn ToSql + Sync), Type); 3] =
            [(&ids, Type::INT8_ARRAY), (&attempts, Type::INT4_ARRAY), (&seconds, Type::FLOAT8)];
        let rows = run_alone(pool, EXTEND, &params).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

impl Claim {
    /// It went wrong. `true` where it is dead.
    pub(super) async fn fail(&self, pool: &TenantPool, why: &WorkError) -> Result<bool, Error> {
        let (text, pause) = (why.text(), why.retry_in.map(|pause| pause.as_secs_f64()));
        let params: [(&(dyn ToSql + Sync), Type); 5] = [
            (&self.id, Type::INT8),
            (&self.attempt, Type::INT4),
            (&text, Type::TEXT),
            (&pause, Type::FLOAT8),
            (&why.give_up, Type::BOOL),
        ];
        let rows = run_alone(pool, FAIL, &params).await?;
        Ok(rows.first().is_some_and(|row| row.try_get(0).is_ok_and(|state: &str| state == "dead")))
    }

    /// Others may have it at once.
    pub(super) async fn release(&self, pool: &TenantPool) -> Result<(), Error> {
        run_alone(pool, RELEASE, &[(&self.id, Type::INT8), (&self.attempt, Type::INT4)]).await.map(drop)
    }
}

/// Whether the attempt is over: another has the job, or it was finished.
pub(super) fn is_over(error: &Error) -> bool {
    error.refusal() == Some(Refusal::JobAttemptOver)
}

fn of_a_worker(error: Error) -> Error {
    match (error.code(), error.hint()) {
        (Some("42501"), None) => error.with_hint("grant tenant_worker to the role this pool connects as"),
        _ => error,
    }
}
