//! What a tenant has used of a meter, as the server tells it: with each consumption, and where one is refused.

use std::time::Duration;

use pg_tenant_core::Refusal;

use crate::error::Error;

/// What a tenant has used of a meter. Returned by `TenantTx::consume` of both drivers, and by [`Error::usage`] where
/// the limit was reached.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// The meter.
    pub meter: String,
    /// What is used in this period, in the meter's unit, as far as the transaction sees.
    pub used: f64,
    /// The limit that is in force for the tenant; `None` where there is none.
    pub limit: Option<f64>,
    /// What may be consumed still; `None` where there is no limit.
    pub remaining: Option<f64>,
    /// How long from now on until the meter begins anew; `None` where it never does.
    pub resets_in: Option<Duration>,
}

impl Usage {
    /// Of the columns of `tenant.consume`.
    pub(crate) fn told(
        meter: &str,
        used: f64,
        limit: Option<f64>,
        remaining: Option<f64>,
        resets: Option<f64>,
    ) -> Usage {
        let resets_in = resets.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok());
        Usage { meter: meter.to_owned(), used, limit, remaining, resets_in }
    }

    /// Of a refusal's message and DETAIL.
    fn refused(message: &str, detail: &str) -> Option<Usage> {
        let number = |text: &str| text.split(' ').next()?.parse::<f64>().ok();
        let meter = message.rsplit_once("of meter \"")?.1.strip_suffix('"')?;
        let limit = number(detail.strip_prefix("The limit is ")?)?;
        let (before, _) = detail.split_once(" used, and ")?;
        let used = before.rsplit(' ').next()?.parse::<f64>().ok()?;
        let resets = detail.split_once("It resets in ").and_then(|(_, rest)| number(rest));
        Some(Usage::told(meter, used, Some(limit), Some((limit - used).max(0.0)), resets))
    }
}

impl Error {
    /// The tenant would use more of a meter than its limit (`TN171`). [`usage`](Self::usage) says what is used and when
    /// that resets, as does [`retry_after`](Self::retry_after); an HTTP service says 429.
    pub fn is_over_quota(&self) -> bool {
        self.refusal() == Some(Refusal::OverQuota)
    }

    /// What the tenant had used where a limit was reached ([`is_over_quota`](Self::is_over_quota)). From the server's
    /// DETAIL.
    pub fn usage(&self) -> Option<Usage> {
        if !self.is_over_quota() {
            return None;
        }
        Usage::refused(self.message(), self.detail()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_used() {
        let message = "tenant \"acme\" is over its limit of meter \"api_calls\"";
        let detail = "The limit is 5.5 big calls per month; 3 used, and 3 more asked for. It resets in 90 s, at 2026-01-01T00:00:00Z. No plan has more.";
        let usage = Usage::refused(message, detail).expect("usage");
        assert_eq!((&*usage.meter, usage.used, usage.limit, usage.remaining), ("api_calls", 3.0, Some(5.5), Some(2.5)));
        assert_eq!(usage.resets_in, Some(Duration::from_secs(90)));
        let forever = "The limit is 4 seats; 6 used, and 5 more asked for. It does not reset. No plan has more.";
        let usage = Usage::refused(message, forever).expect("usage");
        assert_eq!((usage.remaining, usage.resets_in), (Some(0.0), None));
    }
}
