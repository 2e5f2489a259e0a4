//! One key: what it verifies is decided here, when it is read.

use crate::base64url;
use crate::json::Object;
use ring::{hmac, signature};
use std::fmt;
use zeroize::Zeroizing;

/// The algorithms that are known. A key has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: one secret signs and verifies.
    Hs256,
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// Its name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Es256 => "ES256",
            Algorithm::Rs256 => "RS256",
        }
    }

    /// Whether this is its name. RFC 9864 calls Ed25519 by its own.
    pub(crate) fn is_named(self, name: &str) -> bool {
        name == self.name() || (self == Algorithm::EdDsa && name == "Ed25519")
    }
}

/// A key that verifies.
pub(crate) struct Key {
    pub(crate) kid: Option<String>,
    pub(crate) algorithm: Algorithm,
    material: Material,
}

enum Material {
    Secret(hmac::Key),
    Ed25519([u8; 32]),
    P256([u8; 65]),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl Key {
    /// Reads a JWK (RFC 7517, 7518, 8037): none where it serves another purpose, or an algorithm that is not known
    /// here.
    pub(crate) fn read(jwk: &Object) -> Result<Option<Key>, &'static str> {
        let text = |name| jwk.text(name).map_err(|()| "a member of it is not a text");
        let Some(kty) = text("kty")? else { return Err("it has no kty") };
        let for_signing = text("use")?.is_none_or(|to| to == "sig");
        let verifies = match jwk.member("key_ops") {
            None => true,
            Some(operations) => operations.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")),
        };
        let algorithm = match (kty, text("crv")?) {
            ("oct", _) => Algorithm::Hs256,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("RSA", _) => Algorithm::Rs256,
            _ => return Ok(None),
        };
        if !for_signing || !verifies || text("alg")?.is_some_and(|alg| !algorithm.is_named(alg)) {
            return Ok(None);
        }
        if algorithm != Algorithm::Hs256 && jwk.has("d") {
            return Err("it is a private key, which a server that verifies has no use for");
        }
        let bytes = |name| {
            let encoded = text(name)?.ok_or("a member that its kty needs is missing")?;
            base64url::decode(encoded).map(Zeroizing::new).ok_or("a member of it is not base64url")
        };
        let material = match algorithm {
            Algorithm::Hs256 => {
                let secret = bytes("k")?;
                if secret.len() < 32 {
                    return Err("its secret is shorter than 32 bytes");
                }
                Material::Secret(hmac::Key::new(hmac::HMAC_SHA256, &secret))
            }
            Algorithm::EdDsa => {
                Material::Ed25519(bytes("x")?.as_slice().try_into().map_err(|_| "its x is not 32 bytes")?)
            }
            Algorithm::Es256 => {
                let point = [&[4], bytes("x")?.as_slice(), bytes("y")?.as_slice()].concat();
                Material::P256(point.try_into().map_err(|_| "its x and y are not 32 bytes each")?)
            }
            Algorithm::Rs256 => {
                let (n, e) = (bytes("n")?.to_vec(), bytes("e")?.to_vec());
                if !(256..=1024).contains(&n.len()) || n[0] == 0 {
                    return Err("its modulus has not 2048 to 8192 bits");
                }
                Material::Rsa { n, e }
            }
        };
        let kid = text("kid")?.map(str::to_owned);
        Ok(Some(Key { kid, algorithm, material }))
    }

    /// Whether this key signed the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Ed25519(x) => {
                signature::UnparsedPublicKey::new(&signature::ED25519, x).verify(message, signature).is_ok()
            }
            Material::P256(point) => signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Material::Rsa { n, e } => signature::RsaPublicKeyComponents { n, e }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        }
    }

    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.material, Material::Secret(_))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
