//! The tenant on requests to other services, with the feature `outbound`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};
use pg_tenant_token::Signer;
use serde_json::{Map, Value};

use crate::error::{Error, Kind};
use crate::tenant::ambient;
use crate::tenant::identity::Tenant;
use crate::tenant::verifier::{TokenVerifier, now};

/// The header with the signed tenant.
pub const TENANT_CONTEXT: HeaderName = HeaderName::from_static("tenant-context");
/// The header with the request id in plain text, for proxies and logs. Services read the signed one.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Adds the tenant to requests to one other service, in a header that the other service verifies with its JWKS.
///
/// ```
/// use pg_tenant_client::outbound::{Inbound, Outbound};
/// use pg_tenant_client::{Signer, Tenant};
///
/// let key = Signer::hs256(Some("1"), b"at least thirty-two bytes of secret").unwrap();
/// let billing = Outbound::new(key, "billing");
/// let ann = "acme".parse::<Tenant>().unwrap().with_actor("ann");
/// let mut headers = http::HeaderMap::new();
/// billing.put(&mut headers, &ann, Some("request-7")).unwrap();
///
/// // In the other service:
/// let jwks = br#"{"keys":[{"kty":"oct","kid":"1","k":"YXQgbGVhc3QgdGhpcnR5LXR3byBieXRlcyBvZiBzZWNyZXQ"}]}"#;
/// let hop = Inbound::new(jwks, "billing").unwrap().take(&mut headers).unwrap().expect("a tenant");
/// assert_eq!((hop.tenant, hop.request_id.as_deref()), (ann, Some("request-7")));
/// assert!(headers.is_empty());
/// ```
#[derive(Clone)]
pub struct Outbound {
    key: Arc<Signer>,
    audience: Arc<str>,
    ttl: i64,
}

impl Outbound {
    /// For requests to the service of this name. A header is valid for 60 seconds, and for no other service.
    pub fn new(key: Signer, to: &str) -> Outbound {
        Outbound { key: Arc::new(key), audience: audience(to).into(), ttl: 60 }
    }

    /// How long a header is valid: whole seconds, at least 1; 60 by default. Whoever sees a header can use it for as
    /// long.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX).max(1);
        self
    }

    /// Sets the headers of the tenant, with actor and role, and of the request's id. Headers of these names are
    /// replaced.
    ///
    /// # Errors
    /// The request id is not 1 to 128 visible ASCII characters.
    pub fn put(&self, headers: &mut HeaderMap, tenant: &Tenant, request_id: Option<&str>) -> Result<(), Error> {
        let request_header = request_id.map(request_id_value).transpose()?;
        let mut claims = Map::new();
        claims.insert("exp".into(), now().saturating_add(self.ttl).into());
        for (name, value) in [
            ("aud", Some(&*self.audience)),
            ("tenant_id", Some(tenant.id().as_str())),
            ("sub", tenant.actor()),
            ("role", tenant.role()),
            (REQUEST, request_id),
        ] {
            if let Some(value) = value {
                claims.insert(name.into(), value.into());
            }
        }
        let token = self.key.sign_claims(&Value::Object(claims).to_string());
        let mut value = HeaderValue::from_str(&token)
            .map_err(|why| Error::new(Kind::Driver, "the tenant cannot be a header").with_source(why))?;
        value.set_sensitive(true);
        strip(headers);
        headers.insert(TENANT_CONTEXT, value);
        if let Some(value) = request_header {
            headers.insert(REQUEST_ID, value);
        }
        Ok(())
    }

    /// As [`put`](Self::put), for the tenant of the running task.
    ///
    /// # Errors
    /// `TN001` where the task has none; those of [`put`](Self::put).
    pub fn put_current(&self, headers: &mut HeaderMap, request_id: Option<&str>) -> Result<(), Error> {
        self.put(headers, &ambient::current()?, request_id)
    }
}

/// What a request from another service carried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hop {
    /// The tenant, with actor and role.
    pub tenant: Tenant,
    /// The request's id, where the caller sent one.
    pub request_id: Option<String>,
}

/// Reads the tenant of requests from other services. With the feature `tower` it is a proof for a `TenantLayer`.
#[derive(Clone, Debug)]
pub struct Inbound {
    verifier: TokenVerifier,
}

impl Inbound {
    /// Accepts headers that are signed by a key of this JWKS for the service of this name: the name of your own
    /// service.
    ///
    /// # Errors
    /// The set cannot be used.
    pub fn new(jwks: &[u8], here: &str) -> Result<Inbound, Error> {
        Ok(Inbound { verifier: TokenVerifier::new(jwks)?.audience(audience(here)) })
    }

    /// How many seconds clocks may differ; 0 by default.
    pub fn leeway(mut self, seconds: u32) -> Self {
        self.verifier = self.verifier.leeway(seconds);
        self
    }

    /// Replaces the keys, also in every clone.
    ///
    /// # Errors
    /// The set cannot be used. The old keys stay in force.
    pub fn reload(&self, jwks: &[u8]) -> Result<(), Error> {
        self.verifier.reload(jwks)
    }

    /// Reads the tenant and removes its headers, so that they are not passed on by mistake. `None` where there is no
    /// such header.
    ///
    /// # Errors
    /// Those of [`TokenVerifier::verify`]; also where the header comes twice.
    pub fn take(&self, headers: &mut HeaderMap) -> Result<Option<Hop>, Error> {
        let hop = self.read(headers);
        strip(headers);
        hop
    }

    /// As [`take`](Self::take), but leaves the headers as they are.
    ///
    /// # Errors
    /// Those of [`take`](Self::take).
    pub fn read(&self, headers: &HeaderMap) -> Result<Option<Hop>, Error> {
        let mut values = headers.get_all(TENANT_CONTEXT).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Error::malformed_token("It comes twice."));
        }
        let token = value.to_str().map_err(|_| Error::malformed_token("It is not ASCII."))?;
        let tenant = self.verifier.verify(token)?;
        Ok(Some(Hop { tenant, request_id: request_id(token) }))
    }
}

/// Removes both headers without reading them. For requests from outside, which must not name a tenant in this way.
pub fn strip(headers: &mut HeaderMap) {
    headers.remove(TENANT_CONTEXT);
    headers.remove(REQUEST_ID);
}

/// The claim with the request id.
const REQUEST: &str = "request_id";

/// No token of a user's has such an audience, should it be signed with the same key.
fn audience(service: &str) -> String {
    format!("pg-tenant-hop:{service}")
}

/// Of a token whose signature is verified.
fn request_id(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get(REQUEST)?.as_str().map(str::to_owned)
}

fn request_id_value(id: &str) -> Result<HeaderValue, Error> {
    let fits = (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    HeaderValue::from_str(id).ok().filter(|_| fits).ok_or_else(|| {
        Error::new(Kind::Driver, "the request id cannot be a header")
            .with_hint("pass on 1 to 128 visible ASCII characters, or make an id where a request has none such")
    })
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("audience", &self.audience).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
