//! A payment provider.

use std::fmt;
use std::time::SystemTime;

use http::HeaderMap;

use super::event::BillingEvent;

/// A payment provider: how what it sends is verified, and what it means. Implement it for another than
/// [`Stripe`](super::Stripe).
pub trait BillingProvider: Send + Sync + 'static {
    /// 1 to 63 characters `a-z 0-9 _ -`, as customers are linked: `stripe`.
    fn name(&self) -> &str;

    /// The event in a request, if the provider has sent it, not long ago.
    ///
    /// # Errors
    /// The request is answered with 400, and nothing else happens.
    fn verify(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<BillingEvent, Unverified>;
}

/// Why a request is not a provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unverified {
    /// It has no signature, or one that cannot be read.
    NoSignature,
    /// It was signed too long ago, or for later: it may be one that somebody has kept.
    OtherTime,
    /// By another key, or for another body.
    OtherSignature,
    /// It is the provider's, and no event that can be read.
    NoEvent,
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unverified::NoSignature => "there is no signature",
            Unverified::OtherTime => "it was signed at another time",
            Unverified::OtherSignature => "the signature is of something else",
            Unverified::NoEvent => "it is no event that can be read",
        })
    }
}

impl std::error::Error for Unverified {}
