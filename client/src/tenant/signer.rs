//! Pools that sign a token for each transaction, with the feature `sign`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pg_tenant_token::{Grant, Signer};

use crate::tenant::identity::Tenant;
use crate::tenant::token::Token;

/// Signs the tokens of a pool: a key, and the claims that are the same in every token.
///
/// ```
/// use pg_tenant_client::{Signer, TokenSigner};
/// use std::time::Duration;
///
/// let key = Signer::hs256(Some("2026-11"), b"at least thirty-two bytes of secret").unwrap();
/// let signer = TokenSigner::new(key).ttl(Duration::from_secs(30)).audience("shop-database");
/// ```
#[derive(Clone)]
pub struct TokenSigner {
    key: Arc<Signer>,
    ttl: u64,
    issuer: Option<Arc<str>>,
    audience: Option<Arc<str>>,
}

impl TokenSigner {
    /// Signs with this key. Tokens are valid for at most 60 seconds, unless [`ttl`](Self::ttl) says otherwise.
    pub fn new(key: Signer) -> TokenSigner {
        TokenSigner { key: Arc::new(key), ttl: 60, issuer: None, audience: None }
    }

    /// How long a token is valid at most: whole seconds, at least 2; 60 by default. At least half of it is left when a
    /// token is sent.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl.as_secs().max(2);
        self
    }

    /// The claim `iss`.
    pub fn issuer(mut self, issuer: impl Into<Arc<str>>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The claim `aud`.
    pub fn audience(mut self, audience: impl Into<Arc<str>>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    pub(crate) fn sign(&self, tenant: &Tenant) -> Token {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let grant = Grant {
            tenant: tenant.id.as_str(),
            actor: tenant.actor(),
            role: tenant.role(),
            issuer: self.issuer.as_deref(),
            audience: self.audience.as_deref(),
            expires: i64::try_from(expires(now, self.ttl)).unwrap_or(i64::MAX),
        };
        Token::signed(self.key.sign(&grant))
    }
}

/// When a token of now ends. It moves in steps of half the time, so that for so long the same token is sent again, and
/// the server has verified it already.
fn expires(now: u64, ttl: u64) -> u64 {
    let step = (ttl / 2).max(1);
    (now / step).saturating_mul(step).saturating_add(ttl)
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner").field("key", &self.key).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::expires;

    #[test]
    fn less_than_half_of_its_time_is_left() {
        for ttl in [2, 3, 60, 61] {
            for now in 1_800_000_000..1_800_000_200 {
                let left = expires(now, ttl) - now;
                assert!(left > ttl / 2 && left <= ttl, "{ttl} at {now}: {left}");
            }
        }
    }
}
