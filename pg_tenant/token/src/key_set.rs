//! The keys of a JWKS file.

use crate::json::Object;
use crate::key::{Algorithm, Key};
use serde::Deserialize;
use std::fmt;
use zeroize::Zeroize;

/// The keys that tokens may be signed with.
#[derive(Debug)]
pub struct KeySet(Vec<Key>);

/// Why a key set cannot be used. Its text never holds a part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKeySet {
    /// Which key, counted from 1; none where it is the set.
    pub key: Option<usize>,
    /// What is wrong.
    pub why: &'static str,
}

#[derive(Deserialize)]
struct File {
    keys: Vec<Object>,
}

impl KeySet {
    /// Reads a JWKS (RFC 7517, section 5).
    ///
    /// Keys of other kinds, for other algorithms and for encryption are passed over; a key that should serve and cannot
    /// makes the whole set bad, so that nobody waits for a key that was dropped without a word. Where there are several
    /// keys each has its own `kid`.
    ///
    /// # Errors
    /// [`BadKeySet`], and no key of it is used.
    pub fn parse(file: &[u8]) -> Result<KeySet, BadKeySet> {
        let of_set = |why| BadKeySet { key: None, why };
        let mut file: File = serde_json::from_slice(file)
            .map_err(|_| of_set("it is no JSON object with an array \"keys\" of objects"))?;
        let mut keys = Vec::new();
        for (at, jwk) in file.keys.iter_mut().enumerate() {
            let read = Key::read(jwk);
            jwk.texts_mut().for_each(Zeroize::zeroize);
            match read {
                Ok(Some(key)) => keys.push(key),
                Ok(None) => {}
                Err(why) => return Err(BadKeySet { key: Some(at + 1), why }),
            }
        }
        if keys.is_empty() {
            return Err(of_set("it has no key for HS256, EdDSA, ES256 or RS256"));
        }
        if keys.len() > 1 && keys.iter().any(|key| key.kid.is_none()) {
            return Err(of_set("it has several keys, and not each has a kid"));
        }
        if (1..keys.len()).any(|at| keys[..at].iter().any(|key| key.kid == keys[at].kid)) {
            return Err(of_set("two of its keys have the same kid"));
        }
        Ok(KeySet(keys))
    }

    /// Whether somebody who reads the file could sign with it.
    pub fn has_secret(&self) -> bool {
        self.0.iter().any(Key::is_secret)
    }

    /// The algorithms of its keys, in their order.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.0.iter().map(|key| key.algorithm)
    }

    /// The key for a token whose header names this `kid`, or none. The only key need not be named.
    pub(crate) fn find(&self, kid: Option<&str>) -> Option<&Key> {
        match (self.0.as_slice(), kid) {
            ([only], kid) if only.kid.is_none() || kid.is_none() => Some(only),
            (_, None) => None,
            (keys, kid) => keys.iter().find(|key| key.kid.as_deref() == kid),
        }
    }
}

impl fmt::Display for BadKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Some(key) => write!(f, "key {key} of the set cannot be used: {}", self.why),
            None => write!(f, "the set cannot be used: {}", self.why),
        }
    }
}

impl std::error::Error for BadKeySet {}
