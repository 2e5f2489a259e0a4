//! A job: its span, its counts.

use std::time::Duration;

use pg_tenant_core::TenantId;
use tracing::field::{Empty, display};
use tracing::info_span;

use super::{Call, Meter};

/// How an attempt at a job came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobOutcome {
    Done,
    /// It went wrong, and is tried again.
    Again,
    /// It went wrong, and is not tried again by itself.
    Dead,
    /// It was given back: the worker stops, or nobody enters the tenant now.
    Released,
    /// It is another attempt's, or nobody knows.
    Lost,
}

impl JobOutcome {
    fn name(self) -> &'static str {
        match self {
            JobOutcome::Done => "done",
            JobOutcome::Again => "again",
            JobOutcome::Dead => "dead",
            JobOutcome::Released => "released",
            JobOutcome::Lost => "lost",
        }
    }
}

impl Call {
    /// An attempt at a job. Its calls are inside the span. `trace` is the W3C `traceparent` of who has queued it.
    pub(crate) fn job(tenant: Option<&TenantId>, kind: &str, id: i64, attempt: i32, trace: Option<&str>) -> Call {
        let tenant = tenant.map(display);
        Call(info_span!(target: "pg_tenant_client", "job", tenant, kind, id, attempt, trace, outcome = Empty))
    }

    pub(crate) fn job_outcome(&self, outcome: JobOutcome) {
        self.span().record("outcome", outcome.name());
    }
}

#[cfg(feature = "metrics")]
impl Meter {
    /// `kind` is one of those that the worker knows, so there are few.
    pub(crate) fn job(&self, tenant: Option<&TenantId>, kind: &str, outcome: JobOutcome, took: Duration) {
        use crate::tenant::share::Share;
        use ::metrics::{Label, counter, histogram};
        let label = self.label(&tenant.map_or(Share::NoTenant, |tenant| Share::Tenant(*tenant)));
        let kind = Label::new("kind", kind.to_owned());
        let labels = vec![label, kind, Label::from_static_parts("outcome", outcome.name())];
        counter!("pg_tenant_jobs_total", labels.clone()).increment(1);
        histogram!("pg_tenant_job_seconds", labels).record(took);
    }

    /// Jobs in this state, of all tenants.
    pub(crate) fn jobs_open(&self, state: &'static str, jobs: i64) {
        ::metrics::gauge!("pg_tenant_open_jobs", "state" => state).set(jobs as f64);
    }

    /// Since when the oldest job could be done.
    pub(crate) fn oldest_job(&self, seconds: f64) {
        ::metrics::gauge!("pg_tenant_oldest_job_seconds").set(seconds);
    }
}

#[cfg(not(feature = "metrics"))]
impl Meter {
    pub(crate) fn job(&self, _: Option<&TenantId>, _: &str, _: JobOutcome, _: Duration) {}
}
