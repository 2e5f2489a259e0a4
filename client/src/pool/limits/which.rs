//! Which limit a call met.

use std::fmt;

/// The limit that refused a call: see [`Error::limit`](crate::Error::limit).
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
