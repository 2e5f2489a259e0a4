//! What workers ask the server for: claims, longer leases, failures.

use std::collections::HashMap;
use std::time::Duration;

use pg_tenant_core::{Refusal, TenantId};
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

use crate::admin::TenantAdmin;
use crate::error::{Error, Kind};
use crate::worker::WorkError as StepError;

/// A step that this worker has, until somebody else has.
pub(super) struct Claim {
    pub(super) tenant: TenantId,
    pub(super) step: String,
    pub(super) attempt: i32,
    pub(super) undo: bool,
    pub(super) key: String,
    pub(super) input: HashMap<String, Value>,
    pub(super) results: HashMap<String, Value>,
}

const CLAIM: &str = "select tenant_id, step, attempt, undo, idempotency_key, input::text, results::text
    from tenant.claim_step($1, make_interval(secs => $2), $3)";
const EXTEND: &str = "select tenant.extend_step($1, $2, $3, make_interval(secs => $4))";
const FAIL: &str = "select tenant.fail_step($1, $2, $3, $4, make_interval(secs => $5), $6)";
/// `$1` the tenant, `$2` the step, `$3` the attempt, `$4` the result.
pub(super) const FINISH: &str = "select tenant.finish_step($1::text, $2::text, $3::int, $4::text::jsonb)";
/// The same, in the system context.
pub(super) const FINISH_IN_SYSTEM: &str =
    "select tenant.finish_step_in_system($1::text, $2::text, $3::int, $4::text::jsonb)";

/// The next step of those with these names; none where nothing can be done now.
pub(super) async fn claim(
    admin: &TenantAdmin,
    worker: &str,
    lease: Duration,
    steps: &[&str],
) -> Result<Option<Claim>, Error> {
    let seconds = lease.as_secs_f64();
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&worker, Type::TEXT), (&seconds, Type::FLOAT8), (&steps, Type::TEXT_ARRAY)];
    let rows = admin.call(CLAIM, &params).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let tenant: &str = row.try_get(0)?;
    Ok(Some(Claim {
        tenant: tenant.parse().map_err(Error::malformed)?,
        step: row.try_get(1)?,
        attempt: row.try_get(2)?,
        undo: row.try_get(3)?,
        key: row.try_get(4)?,
        input: object(row.try_get(5)?)?,
        results: object(row.try_get(6)?)?,
    }))
}

fn object(text: &str) -> Result<HashMap<String, Value>, Error> {
    let unread = |why| Error::new(Kind::Driver, format!("the claim cannot be read: {why}")).with_source(why);
    serde_json::from_str(text).map_err(unread)
}

impl Claim {
    /// It goes on for a lease from now.
    pub(super) async fn extend(&self, admin: &TenantAdmin, lease: Duration) -> Result<(), Error> {
        let seconds = lease.as_secs_f64();
        let params: [(&(dyn ToSql + Sync), Type); 4] = [
            (&self.tenant.as_str(), Type::TEXT),
            (&self.step, Type::TEXT),
            (&self.attempt, Type::INT4),
            (&seconds, Type::FLOAT8),
        ];
        admin.call(EXTEND, &params).await.map(drop)
    }

    /// It went wrong. `true` where it has failed for good.
    pub(super) async fn fail(&self, admin: &TenantAdmin, why: &StepError) -> Result<bool, Error> {
        let (text, pause) = (why.text(), why.retry_in.map(|pause| pause.as_secs_f64()));
        let params: [(&(dyn ToSql + Sync), Type); 6] = [
            (&self.tenant.as_str(), Type::TEXT),
            (&self.step, Type::TEXT),
            (&self.attempt, Type::INT4),
            (&text, Type::TEXT),
            (&pause, Type::FLOAT8),
            (&why.give_up, Type::BOOL),
        ];
        let rows = admin.call(FAIL, &params).await?;
        Ok(rows.first().is_some_and(|row| row.try_get(0).is_ok_and(|status: &str| status == "failed")))
    }

    /// It is done, where that stands in no transaction of its own.
    pub(super) async fn finish(&self, admin: &TenantAdmin, result: &str) -> Result<(), Error> {
        let params: [(&(dyn ToSql + Sync), Type); 4] = [
            (&self.tenant.as_str(), Type::TEXT),
            (&self.step, Type::TEXT),
            (&self.attempt, Type::INT4),
            (&result, Type::TEXT),
        ];
        admin.call(FINISH, &params).await.map(drop)
    }
}

/// Whether the attempt is over: another has the step, or it was answered.
pub(super) fn is_over(error: &Error) -> bool {
    error.refusal() == Some(Refusal::AttemptOver)
}
