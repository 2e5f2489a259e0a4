//! Refusals of this pool's own limits: which limit, and when to ask again.

use std::fmt;
use std::time::Duration;

use pg_tenant_core::Refusal;

use crate::error::{Error, Kind};

/// The limit that refused a call. Returned by [`Error::limit`](crate::Error::limit).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The tenant has as many connections as it may ([`Limits::connections`](crate::Limits::connections)), and none of
    /// them came back in time.
    Connections,
    /// As many of its calls wait for a connection as may ([`Limits::waiting`](crate::Limits::waiting)).
    Waiting,
    /// It began more transactions than its rate allows ([`Limits::rate`](crate::Limits::rate)).
    Rate,
}

impl Limit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Limit::Connections => "connections",
            Limit::Waiting => "waiting",
            Limit::Rate => "rate",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Error {
    /// The tenant has met one of the limits that this pool was given ([`Limits`](crate::Limits)): nothing was sent. Or
    /// one of those that the server gives it (`tenant.set_limit`): as many of its transactions run as may (`TN180`), or
    /// they, their statements or their rows come too fast (`TN181`); the transaction was rolled back. An HTTP service
    /// says 429, with [`retry_after`](Self::retry_after) for its header of that name.
    pub fn is_limited(&self) -> bool {
        self.0.limit.is_some() || matches!(self.refusal(), Some(Refusal::TooManyTransactions | Refusal::TooFast))
    }

    /// The server runs as many transactions as it admits (`pg_tenant.max_active`), and the tenant's turn did not come
    /// in time (`TN182`). Nothing was executed. HTTP: 503, with [`retry_after`](Self::retry_after).
    pub fn is_busy(&self) -> bool {
        self.refusal() == Some(Refusal::ServerBusy)
    }

    /// Which limit of this pool's the tenant has met.
    pub fn limit(&self) -> Option<Limit> {
        self.0.limit
    }

    /// How long to wait before the same call can succeed. Exact for a rate; for other limits an estimate, from how long
    /// connections have been lent lately. `None` where waiting does not help.
    ///
    /// Also where a meter's limit was reached ([`is_over_quota`](Self::is_over_quota)): until it begins anew; and where
    /// the server limits ([`is_limited`](Self::is_limited), [`is_busy`](Self::is_busy)), as its DETAIL says.
    pub fn retry_after(&self) -> Option<Duration> {
        let told = || if self.is_limited() || self.is_busy() { told(self.detail()?) } else { None };
        self.0.retry_after.or_else(told).or_else(|| self.usage()?.resets_in)
    }

    pub(crate) fn limited(limit: Limit, detail: String, retry_after: Option<Duration>) -> Error {
        let mut error = Error::new(Kind::Limited, format!("the tenant has reached a limit of this pool: {limit}"));
        error.0.limit = Some(limit);
        let error = error.with_detail(detail);
        match retry_after {
            Some(wait) => error.with_retry_after(wait),
            None => error.with_hint("the pool's limits leave this tenant nothing: give it another plan"),
        }
    }

    pub(crate) fn with_retry_after(mut self, wait: Duration) -> Error {
        self.0.retry_after = Some(wait);
        self.with_hint(format!("try again in {} ms", wait.as_nanos().div_ceil(1_000_000)))
    }

    pub(crate) fn of_kind(mut self, kind: Kind) -> Error {
        self.0.kind = kind;
        self
    }

    pub(crate) fn pool_closed() -> Error {
        Error::new(Kind::Closed, "the pool is closed").not_executed()
    }
}

/// What the server says: `…; retry after 120 ms.`
fn told(detail: &str) -> Option<Duration> {
    let (_, after) = detail.split_once("retry after ")?;
    after.split(' ').next()?.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_says_when_to_retry() {
        assert_eq!(told("Limit 2 a second; retry after 120 ms."), Some(Duration::from_millis(120)));
        assert_eq!(told("Limit 2 a second; one statement has more than the limit's burst."), None);
    }

    #[test]
    fn a_refusal_says_which_limit_and_when_to_retry() {
        let error = Error::limited(Limit::Rate, "tenant acme".to_owned(), Some(Duration::from_micros(1500)));
        assert!(error.is_limited() && !error.is_timeout() && !error.is_retryable());
        assert_eq!(error.retry_after(), Some(Duration::from_micros(1500)));
        let said = "the tenant has reached a limit of this pool: rate\nDETAIL: tenant acme\nHINT: try again in 2 ms";
        assert_eq!(error.to_string(), said);
        assert!(format!("{error:?}").contains("Rate"));
        assert_eq!(Error::limited(Limit::Connections, String::new(), None).retry_after(), None);
        assert!(!Error::pool_closed().is_limited());
    }
}
