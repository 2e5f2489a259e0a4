//! Counts what happens, with the feature `metrics`; without it, every method here is empty.

use std::time::Duration;

use crate::error::Error;
use crate::tenant::share::Share;

#[derive(Default)]
pub(crate) struct Meter {
    #[cfg(feature = "metrics")]
    labels: std::sync::RwLock<Option<super::MetricLabels>>,
}

#[cfg(feature = "metrics")]
mod counting {
    use std::sync::PoisonError;

    use ::metrics::{Label, counter, histogram};
    use pg_tenant_core::Refusal;

    use super::{Duration, Error, Meter, Share};
    use crate::observe::MetricLabels;
    use crate::observe::labels::default_label;

    impl Meter {
        pub(crate) fn set_labels(&self, labels: MetricLabels) {
            *self.labels.write().unwrap_or_else(PoisonError::into_inner) = Some(labels);
        }

        pub(in crate::observe) fn label(&self, share: &Share) -> Label {
            let labels = self.labels.read().unwrap_or_else(PoisonError::into_inner);
            labels.as_ref().map_or_else(|| default_label(share), |labels| labels.label(share))
        }

        fn count(&self, name: &'static str, share: &Share) {
            counter!(name, vec![self.label(share)]).increment(1);
        }

        pub(crate) fn checkout(&self, share: &Share, waited: Duration) {
            let label = self.label(share);
            counter!("pg_tenant_checkouts_total", vec![label.clone()]).increment(1);
            histogram!("pg_tenant_wait_seconds", vec![label]).record(waited);
        }

        pub(crate) fn not_admitted(&self, share: &Share, error: &Error) {
            let limit = match error.limit() {
                Some(limit) => limit.name(),
                None if error.is_timeout() => "pool",
                None => return,
            };
            let labels = vec![self.label(share), Label::from_static_parts("limit", limit)];
            counter!("pg_tenant_limited_total", labels).increment(1);
        }

        /// Who served a read, or why no replica did.
        pub(crate) fn read(&self, share: &Share, server: &'static str) {
            let labels = vec![self.label(share), Label::from_static_parts("server", server)];
            counter!("pg_tenant_replica_reads_total", labels).increment(1);
        }

        pub(crate) fn discard(&self, share: &Share) {
            self.count("pg_tenant_discards_total", share);
        }

        pub(crate) fn forced_rollback(&self, share: &Share) {
            self.count("pg_tenant_forced_rollbacks_total", share);
        }

        pub(crate) fn probe_failure(&self, share: &Share) {
            self.count("pg_tenant_probe_failures_total", share);
        }

        /// An error of the server. A tenant's own SQL can raise any SQLSTATE, so only pg_tenant's and those that a pool
        /// meets have a label of their own.
        pub(crate) fn refused(&self, share: &Share, code: &str) {
            let code = match (Refusal::from_code(code), code) {
                (Some(refusal), _) => refusal.code(),
                (None, "40001") => "40001",
                (None, "40P01") => "40P01",
                (None, "42501") => "42501",
                (None, "57014") => "57014",
                _ => "other",
            };
            let labels = vec![self.label(share), Label::from_static_parts("code", code)];
            counter!("pg_tenant_refusals_total", labels).increment(1);
        }
    }
}

#[cfg(not(feature = "metrics"))]
impl Meter {
    pub(crate) fn checkout(&self, _: &Share, _: Duration) {}
    pub(crate) fn not_admitted(&self, _: &Share, _: &Error) {}
    pub(crate) fn read(&self, _: &Share, _: &'static str) {}
    pub(crate) fn discard(&self, _: &Share) {}
    pub(crate) fn forced_rollback(&self, _: &Share) {}
    pub(crate) fn probe_failure(&self, _: &Share) {}
    pub(crate) fn refused(&self, _: &Share, _: &str) {}
}
