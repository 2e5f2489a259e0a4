//! The claims of a token whose signature is verified.

use crate::json::Object;
use crate::rejected::Rejected;
use crate::rules::Rules;
use ring::digest::{Context, SHA256, digest};
use serde_json::Value;

/// What a verified token says. It is good for as long as [`check_time`](Verified::check_time) says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its tenant, as written in the token.
    pub tenant: String,
    /// On whose behalf.
    pub actor: Option<String>,
    /// In which role.
    pub role: Option<String>,
    expires: i64,
    not_before: Option<i64>,
}

/// The longest actor and role, in bytes.
pub(crate) const MAX_NAME: usize = 255;

impl Verified {
    /// Reads the claims.
    pub(crate) fn read(json: &[u8], rules: &Rules) -> Result<Verified, Rejected> {
        let claims = Object::parse(json)
            .ok_or(Rejected::Malformed("Its claims are not a JSON object in which each name comes once."))?;
        let expires = time(&claims, "exp", f64::floor)?.ok_or_else(|| wrong("exp", "is missing"))?;
        let not_before = time(&claims, "nbf", f64::ceil)?;
        time(&claims, "iat", f64::floor)?;
        for_here(&claims, rules)?;
        let tenant = match claims.member(&rules.tenant_claim) {
            Some(Value::String(tenant)) if !tenant.is_empty() => tenant.clone(),
            Some(Value::Number(tenant)) if tenant.is_u64() => tenant.to_string(),
            Some(_) => return Err(wrong(&rules.tenant_claim, "is neither a text nor a whole number")),
            None => return Err(wrong(&rules.tenant_claim, "is missing")),
        };
        let named = |claim: &Option<String>| claim.as_ref().map_or(Ok(None), |claim| name(&claims, claim));
        let (actor, role) = (named(&rules.actor_claim)?, named(&rules.role_claim)?);
        Ok(Verified { tenant, actor, role, expires, not_before })
    }

    /// Who it is, in 32 bytes: two tokens for the same actor in the same role have the same.
    pub fn identity(&self) -> [u8; 32] {
        let mut digest = Context::new(&SHA256);
        for name in [&self.actor, &self.role] {
            // A length that no name has stands for none; so no two pairs are written alike.
            let len = name.as_ref().map_or(u64::MAX, |name| name.len() as u64);
            digest.update(&len.to_le_bytes());
            digest.update(name.as_deref().unwrap_or_default().as_bytes());
        }
        bytes(digest.finish().as_ref())
    }

    /// Whether the token is good at this time, in seconds since 1970.
    ///
    /// # Errors
    /// [`Rejected::Expired`] from `exp` on, [`Rejected::NotYetValid`] before `nbf`, both with the leeway.
    pub fn check_time(&self, leeway: u32, now: i64) -> Result<(), Rejected> {
        let leeway = i64::from(leeway);
        if now >= self.expires.saturating_add(leeway) {
            return Err(Rejected::Expired(now.saturating_sub(self.expires)));
        }
        match self.not_before {
            Some(begin) if now.saturating_add(leeway) < begin => Err(Rejected::NotYetValid(begin.saturating_sub(now))),
            _ => Ok(()),
        }
    }
}

fn bytes(digest: &[u8]) -> [u8; 32] {
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}

/// The name under which a verified token may be remembered: not the token, and nobody can make another with it.
pub fn fingerprint(token: &str) -> [u8; 32] {
    bytes(digest(&SHA256, token.as_bytes()).as_ref())
}

fn wrong(name: &str, why: &'static str) -> Rejected {
    Rejected::Claim { name: name.to_owned(), why }
}

/// A time in seconds since 1970. A fraction is rounded to where the token is good for less.
fn time(claims: &Object, name: &str, round: fn(f64) -> f64) -> Result<Option<i64>, Rejected> {
    let Some(value) = claims.member(name) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| {
        // Above i64 it is as good as i64::MAX; `as` saturates.
        value.as_f64().filter(|seconds| seconds.is_finite()).map(|seconds| round(seconds) as i64)
    });
    seconds.map(Some).ok_or_else(|| wrong(name, "is not a number of seconds"))
}

fn for_here(claims: &Object, rules: &Rules) -> Result<(), Rejected> {
    if let Some(issuer) = &rules.issuer
        && claims.member("iss").and_then(Value::as_str) != Some(issuer)
    {
        return Err(Rejected::NotForHere("Its issuer is not the one configured."));
    }
    let is_ours = |value: &Value| rules.audience.as_deref().is_some_and(|ours| value.as_str() == Some(ours));
    let among = match claims.member("aud") {
        None => rules.audience.is_none(),
        Some(Value::Array(all)) => all.iter().any(is_ours),
        Some(one) => is_ours(one),
    };
    match (among, &rules.audience) {
        (true, _) => Ok(()),
        (false, Some(_)) => Err(Rejected::NotForHere("It is for another audience, or for none.")),
        (false, None) => Err(Rejected::NotForHere("It names an audience, and none is configured here.")),
    }
}

/// An actor or a role: a text that a log line and a setting can hold.
fn name(claims: &Object, name: &str) -> Result<Option<String>, Rejected> {
    let text = claims.text(name).map_err(|()| wrong(name, "is not a text"))?;
    match text {
        Some("") => Err(wrong(name, "is empty")),
        Some(text) if text.len() > MAX_NAME => Err(wrong(name, "is longer than 255 bytes")),
        Some(text) if !pg_tenant_core::is_plain(text) => Err(wrong(name, "has characters that do not show")),
        text => Ok(text.map(str::to_owned)),
    }
}
