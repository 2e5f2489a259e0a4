//! Signed tokens, with no PostgreSQL in it, so that they are tested and fuzzed without a server.
//!
//! ```text
//!  bytes of the key file ──► KeySet::parse ──► KeySet ─┐
//!                  token ──► verify ◄──────────────────┴── Rules (issuer, audience, names of claims, leeway)
//!                              ▼
//!                          Verified (tenant, actor, role, until when) ──► Verified::check_time at every use
//! ```
//!
//! A token is a JWT in JWS compact form, signed with HS256, EdDSA (Ed25519), ES256 or RS256. The key decides which:
//! what the token's header says is compared, never followed. What can be read in two ways is refused.
#![forbid(unsafe_code)]

mod base64url;
mod claims;
mod header;
mod json;
mod key;
mod key_set;
mod rejected;
mod rules;
mod signer;
#[cfg(test)]
mod vectors;
mod verify;
#[cfg(test)]
mod verify_tests;

pub use claims::{Verified, fingerprint};
pub use key::Algorithm;
pub use key_set::{BadKeySet, KeySet};
pub use rejected::Rejected;
pub use rules::Rules;
pub use signer::{BadKey, Grant, Signer};
pub use verify::{MAX_LEN, verify};
pub use zeroize::Zeroizing;
