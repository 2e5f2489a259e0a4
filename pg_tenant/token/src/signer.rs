//! How a client signs: for applications that hold a key.

use crate::base64url;
use crate::key::Algorithm;
use ring::{hmac, signature::Ed25519KeyPair};
use serde_json::{Map, Value};
use std::fmt;
use zeroize::Zeroizing;

/// A key that signs tokens.
pub struct Signer {
    /// The encoded header: the same for every token.
    header: String,
    algorithm: Algorithm,
    kid: Option<String>,
    material: Material,
}

enum Material {
    Secret(hmac::Key),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Why a key cannot sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKey(&'static str);

/// What a token is to say. Times are seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// Claim `tenant_id`.
    pub tenant: &'a str,
    /// Claim `sub`.
    pub actor: Option<&'a str>,
    /// Claim `role`.
    pub role: Option<&'a str>,
    /// Claim `iss`.
    pub issuer: Option<&'a str>,
    /// Claim `aud`.
    pub audience: Option<&'a str>,
    /// Claim `exp`.
    pub expires: i64,
}

impl Signer {
    /// HS256, with a secret of at least 32 bytes that the server's key set has too.
    ///
    /// # Errors
    /// A shorter secret.
    pub fn hs256(kid: Option<&str>, secret: &[u8]) -> Result<Signer, BadKey> {
        if secret.len() < 32 {
            return Err(BadKey("a secret for HS256 has at least 32 bytes"));
        }
        let material = Material::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Ok(Signer::new(Algorithm::Hs256, kid, material))
    }

    /// EdDSA, with an Ed25519 key in PKCS#8 DER (`openssl genpkey -algorithm ed25519 -outform DER`).
    ///
    /// # Errors
    /// What is not such a key.
    pub fn eddsa_pkcs8(kid: Option<&str>, der: &[u8]) -> Result<Signer, BadKey> {
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| BadKey("not an Ed25519 key in PKCS#8 DER"))?;
        Ok(Signer::new(Algorithm::EdDsa, kid, Material::Ed25519(Box::new(pair))))
    }

    fn new(algorithm: Algorithm, kid: Option<&str>, material: Material) -> Signer {
        let mut header = Map::new();
        header.insert("alg".into(), algorithm.name().into());
        header.insert("typ".into(), "JWT".into());
        if let Some(kid) = kid {
            header.insert("kid".into(), kid.into());
        }
        let header = base64url::encode(Value::Object(header).to_string().as_bytes());
        Signer { header, algorithm, kid: kid.map(str::to_owned), material }
    }

    /// Signs a token.
    pub fn sign(&self, grant: &Grant<'_>) -> Zeroizing<String> {
        let mut claims = Map::new();
        claims.insert("exp".into(), grant.expires.into());
        for (name, value) in [
            ("tenant_id", Some(grant.tenant)),
            ("sub", grant.actor),
            ("role", grant.role),
            ("iss", grant.issuer),
            ("aud", grant.audience),
        ] {
            if let Some(value) = value {
                claims.insert(name.into(), value.into());
            }
        }
        self.sign_claims(&Value::Object(claims).to_string())
    }

    /// Signs claims that are JSON already.
    pub fn sign_claims(&self, claims: &str) -> Zeroizing<String> {
        let mut token = Zeroizing::new(String::with_capacity(self.header.len() + claims.len() * 4 / 3 + 96));
        token.push_str(&self.header);
        token.push('.');
        token.push_str(&base64url::encode(claims.as_bytes()));
        let signature = match &self.material {
            Material::Secret(key) => base64url::encode(hmac::sign(key, token.as_bytes()).as_ref()),
            Material::Ed25519(pair) => base64url::encode(pair.sign(token.as_bytes()).as_ref()),
        };
        token.push('.');
        token.push_str(&signature);
        token
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("algorithm", &self.algorithm).field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadKey {}
