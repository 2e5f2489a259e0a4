//! Tokens verified in the application, with the feature `verify`.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use pg_tenant_core::Refusal;
use pg_tenant_token::{BadKeySet, KeySet, Rejected, Rules, verify};

use crate::error::{Error, Kind};
use crate::tenant::identity::Tenant;
use crate::tenant::token::Token;

/// Turns a token into the [`Tenant`] that it names: a JWT in JWS compact form, signed with HS256, EdDSA, ES256 or RS256
/// by a key of a JWKS. The same rules as in the server's signed entry: `exp` must be there, the key decides the
/// algorithm, what can be read in two ways is refused. Claims `tenant_id`, `sub` and `role` are tenant, actor and role.
///
/// Cloning shares the keys.
///
/// ```
/// use pg_tenant_client::TokenVerifier;
///
/// let jwks = br#"{"keys":[{"kty":"oct","kid":"1","k":"YXQgbGVhc3QgdGhpcnR5LXR3byBieXRlcyBvZiBzZWNyZXQ"}]}"#;
/// let verifier = TokenVerifier::new(jwks).unwrap().issuer("https://login.example.com").audience("shop");
/// assert!(verifier.verify("no.such.token").is_err());
/// ```
#[derive(Clone)]
pub struct TokenVerifier {
    keys: Arc<RwLock<Arc<KeySet>>>,
    rules: Rules,
    forward: bool,
}

impl TokenVerifier {
    /// Verifies with the keys of this JWKS (RFC 7517).
    ///
    /// # Errors
    /// The set, or a key in it, cannot be used. The error holds no part of a key.
    pub fn new(jwks: &[u8]) -> Result<TokenVerifier, Error> {
        let keys = Arc::new(RwLock::new(Arc::new(parse(jwks)?)));
        Ok(TokenVerifier { keys, rules: Rules::default(), forward: false })
    }

    /// The value that the claim `iss` must have; any issuer is accepted by default.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.rules.issuer = Some(issuer.into());
        self
    }

    /// The audience that the claim `aud` must name. By default a token that names any audience is refused.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.rules.audience = Some(audience.into());
        self
    }

    /// The claim that names the tenant by its id; `tenant_id` by default.
    pub fn tenant_claim(mut self, claim: impl Into<String>) -> Self {
        self.rules.tenant_claim = claim.into();
        self
    }

    /// The claim that names the actor; `sub` by default.
    pub fn actor_claim(mut self, claim: impl Into<String>) -> Self {
        self.rules.actor_claim = Some(claim.into());
        self
    }

    /// The claim that names the actor's role; `role` by default.
    pub fn role_claim(mut self, claim: impl Into<String>) -> Self {
        self.rules.role_claim = Some(claim.into());
        self
    }

    /// How many seconds clocks may differ, for `exp` and `nbf`; 0 by default.
    pub fn leeway(mut self, seconds: u32) -> Self {
        self.rules.leeway = seconds;
        self
    }

    /// Keeps the token in each [`Tenant`], so that a pool enters with it (`tenant.enter_signed`): for database roles
    /// that must enter with a token where the application has no key of its own. The server verifies the token again.
    pub fn forward(mut self) -> Self {
        self.forward = true;
        self
    }

    /// Replaces the keys, also in every clone. To rotate keys: add the new one, let the issuer sign with it, then
    /// remove the old one.
    ///
    /// # Errors
    /// The set cannot be used. The old keys stay in force.
    pub fn reload(&self, jwks: &[u8]) -> Result<(), Error> {
        let keys = Arc::new(parse(jwks)?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Verifies a token against the keys and the clock as they are now.
    ///
    /// # Errors
    /// `TN092` malformed, `TN093` untrusted, `TN094` expired, `TN095` not valid yet, `TN096` of another issuer or for
    /// another audience, `TN097` a claim cannot be used, `TN004` the tenant it names is no tenant id. None of them
    /// shows the token.
    pub fn verify(&self, token: &str) -> Result<Tenant, Error> {
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let verified = verify(token, &keys, &self.rules, now()).map_err(rejected)?;
        Ok(Tenant {
            id: verified.tenant.parse().map_err(Error::malformed)?,
            actor: verified.actor.map(Arc::from),
            role: verified.role.map(Arc::from),
            token: self.forward.then(|| Token::new(token)),
        })
    }
}

fn parse(jwks: &[u8]) -> Result<KeySet, Error> {
    KeySet::parse(jwks).map_err(|why: BadKeySet| {
        Error::new(Kind::Config, "the key set cannot be used").with_detail(why.to_string()).with_source(why)
    })
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(now).unwrap_or(i64::MAX)
}

fn rejected(why: Rejected) -> Error {
    let (refusal, message) = match &why {
        Rejected::Malformed(_) => (Refusal::MalformedToken, "malformed token"),
        Rejected::Untrusted(_) => (Refusal::UntrustedToken, "untrusted token"),
        Rejected::Expired(_) => (Refusal::TokenExpired, "token expired"),
        Rejected::NotYetValid(_) => (Refusal::TokenNotYetValid, "token not valid yet"),
        Rejected::NotForHere(_) => (Refusal::TokenNotForHere, "token is not for this application"),
        Rejected::Claim { .. } => (Refusal::TokenClaimUnusable, "a claim of the token cannot be used"),
    };
    let error = Error::new(Kind::BadToken, message).with_code(refusal.code()).with_detail(why.to_string());
    error.with_hint("get a fresh token for this application from its issuer").with_source(why)
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier").field("rules", &self.rules).finish_non_exhaustive()
    }
}
