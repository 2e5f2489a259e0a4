//! From a token to what it says.

use crate::base64url;
use crate::claims::Verified;
use crate::header::Header;
use crate::key_set::KeySet;
use crate::rejected::Rejected;
use crate::rules::Rules;

/// The longest token that is looked at, in bytes.
pub const MAX_LEN: usize = 8192;

/// Verifies a token at this time, in seconds since 1970.
///
/// # Errors
/// [`Rejected`], in the order: form, key, signature, claims, time. Nothing of a token's claims is read before its
/// signature is verified.
pub fn verify(token: &str, keys: &KeySet, rules: &Rules, now: i64) -> Result<Verified, Rejected> {
    if token.len() > MAX_LEN {
        return Err(Rejected::Malformed("It is longer than 8192 bytes."));
    }
    let parts = (|| {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        (!claims.contains('.')).then_some((message, header, claims, signature))
    })();
    let Some((message, header, claims, signature)) = parts else {
        return Err(Rejected::Malformed("It has not the three parts of a JWT in JWS compact form."));
    };
    let decoded = |part| base64url::decode(part).ok_or(Rejected::Malformed("A part of it is not base64url."));
    let header = Header::parse(&decoded(header)?)?;
    let signature = decoded(signature)?;
    let Some(key) = keys.find(header.kid.as_deref()) else {
        return Err(Rejected::Untrusted(match header.kid {
            Some(_) => "The key set has no key with its kid.",
            None => "It has no kid, and the key set has several keys.",
        }));
    };
    if !key.algorithm.is_named(&header.algorithm) {
        return Err(Rejected::Untrusted("Its header names another algorithm than its key is for."));
    }
    if !key.verifies(message.as_bytes(), &signature) {
        return Err(Rejected::Untrusted("Its signature is not that of its key."));
    }
    let verified = Verified::read(&decoded(claims)?, rules)?;
    verified.check_time(rules.leeway, now)?;
    Ok(verified)
}
