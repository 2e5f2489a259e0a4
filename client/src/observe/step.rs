//! A step of an onboarding: its span, its counts.

use std::time::Duration;

use pg_tenant_core::TenantId;
use tracing::field::{Empty, display};
use tracing::info_span;

use super::{Call, Meter};

/// How an attempt at a step came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepOutcome {
    Done,
    Undone,
    /// It went wrong, and is tried again.
    Again,
    /// It went wrong, and is not tried again by itself.
    Failed,
    /// It is another attempt's.
    Lost,
}

impl StepOutcome {
    fn name(self) -> &'static str {
        match self {
            StepOutcome::Done => "done",
            StepOutcome::Undone => "undone",
            StepOutcome::Again => "again",
            StepOutcome::Failed => "failed",
            StepOutcome::Lost => "lost",
        }
    }
}

impl Call {
    /// An attempt at a step. Its calls are inside the span.
    pub(crate) fn step(tenant: &TenantId, step: &str, attempt: i32) -> Call {
        let tenant = display(tenant);
        Call(info_span!(target: "pg_tenant_client", "step", tenant, step, attempt, outcome = Empty))
    }

    pub(crate) fn outcome(&self, outcome: StepOutcome) {
        self.span().record("outcome", outcome.name());
    }
}

#[cfg(feature = "metrics")]
impl Meter {
    pub(crate) fn step(&self, tenant: &TenantId, outcome: StepOutcome, took: Duration) {
        use ::metrics::{Label, counter, histogram};
        let label = self.label(&crate::tenant::share::Share::Tenant(*tenant));
        let labels = vec![label, Label::from_static_parts("outcome", outcome.name())];
        counter!("pg_tenant_onboarding_steps_total", labels.clone()).increment(1);
        histogram!("pg_tenant_onboarding_step_seconds", labels).record(took);
    }

    /// Steps that are not over, of all tenants.
    pub(crate) fn steps_open(&self, state: &'static str, steps: i64) {
        ::metrics::gauge!("pg_tenant_onboarding_open_steps", "state" => state).set(steps as f64);
    }

    /// For how long the oldest of those that nobody has to wait for has been in its state.
    pub(crate) fn oldest_step(&self, seconds: f64) {
        ::metrics::gauge!("pg_tenant_onboarding_oldest_seconds").set(seconds);
    }
}

#[cfg(not(feature = "metrics"))]
impl Meter {
    pub(crate) fn step(&self, _: &TenantId, _: StepOutcome, _: Duration) {}
}
