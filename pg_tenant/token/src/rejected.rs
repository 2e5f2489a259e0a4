//! Why a token was not taken.

use std::fmt;

/// Why a token was not taken. Its text never holds a part of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It is not a JWT in JWS compact form, or can be read in two ways.
    Malformed(&'static str),
    /// No key that we have signed it, or not with that key's algorithm.
    Untrusted(&'static str),
    /// Its time is over; how many seconds ago.
    Expired(i64),
    /// Its time has not begun; in how many seconds it will.
    NotYetValid(i64),
    /// It was made by another issuer, or for another audience.
    NotForHere(&'static str),
    /// A claim is missing or has a value that cannot be used.
    Claim {
        /// The claim's name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::Malformed(why) | Rejected::Untrusted(why) | Rejected::NotForHere(why) => f.write_str(why),
            Rejected::Expired(ago) => write!(f, "It expired {ago} s ago."),
            Rejected::NotYetValid(ahead) => write!(f, "It becomes valid in {ahead} s."),
            Rejected::Claim { name, why } => write!(f, "Its claim \"{name}\" {why}."),
        }
    }
}

impl std::error::Error for Rejected {}
