//! The grammar of a tenant id.
//!
//! An id is 1 to 63 characters `A–Z a–z 0–9 . _ : @ ~ + -`, the first a letter or digit. So it is one word in a log
//! line, a URL path, a cache key and a quoted SQL literal. One id has one canonical text: a UUID in its hyphenated form
//! is lower-cased, everything else stands as it was written.

use std::fmt;
use std::str::FromStr;

/// A well-formed tenant id in its canonical form.
///
/// ```
/// # use pg_tenant_core::TenantId;
/// let id: TenantId = "7F0C2B9E-2D0A-4C57-9A56-0F6C3A7A9E11".parse().unwrap();
/// assert_eq!(id.as_str(), "7f0c2b9e-2d0a-4c57-9a56-0f6c3a7a9e11");
/// assert!(id.uuid().is_some() && id.bigint().is_none());
/// assert_eq!("42".parse::<TenantId>().unwrap().bigint(), Some(42));
/// assert!("acme'; drop table orders".parse::<TenantId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TenantId {
    len: u8,
    text: [u8; TenantId::MAX_LEN],
}

/// The text is not a tenant id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedTenantId {
    /// No characters at all.
    Empty,
    /// More than [`TenantId::MAX_LEN`] bytes.
    TooLong,
    /// A character outside the grammar, and its byte offset.
    BadCharacter(usize),
}

impl TenantId {
    /// The longest id, in bytes.
    pub const MAX_LEN: usize = 63;

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }

    /// The sixteen bytes of the id where it is a UUID in hyphenated form.
    pub fn uuid(&self) -> Option<[u8; 16]> {
        let text = self.as_str().as_bytes();
        if text.len() != 36 {
            return None;
        }
        let (mut bytes, mut nibbles) = ([0u8; 16], 0);
        for (i, &c) in text.iter().enumerate() {
            match (i, c) {
                (8 | 13 | 18 | 23, b'-') => {}
                (8 | 13 | 18 | 23, _) => return None,
                _ => {
                    let digit = char::from(c).to_digit(16)? as u8;
                    bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | digit;
                    nibbles += 1;
                }
            }
        }
        Some(bytes)
    }

    /// The id as a number where it is one in canonical decimal form (`0`, `42`; not `042`), up to 2⁶³ − 1.
    pub fn bigint(&self) -> Option<i64> {
        let text = self.as_str();
        let canonical = text == "0" || !text.starts_with('0');
        if canonical && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
    }
}

impl FromStr for TenantId {
    type Err = MalformedTenantId;

    fn from_str(text: &str) -> Result<Self, MalformedTenantId> {
        let bytes = text.as_bytes();
        if bytes.is_empty() {
            return Err(MalformedTenantId::Empty);
        }
        if bytes.len() > Self::MAX_LEN {
            return Err(MalformedTenantId::TooLong);
        }
        let fits = |(i, b): (usize, &u8)| b.is_ascii_alphanumeric() || (i > 0 && b"._:@~+-".contains(b));
        if let Some(at) = bytes.iter().enumerate().position(|x| !fits(x)) {
            return Err(MalformedTenantId::BadCharacter(at));
        }
        let mut id = TenantId { len: bytes.len() as u8, text: [0; Self::MAX_LEN] };
        id.text[..bytes.len()].copy_from_slice(bytes);
        if id.uuid().is_some() {
            id.text.make_ascii_lowercase();
        }
        Ok(id)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({self})")
    }
}

impl fmt::Display for MalformedTenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong => write!(f, "it is longer than {} bytes", TenantId::MAX_LEN),
            Self::BadCharacter(0) => f.write_str("it does not begin with a letter or a digit"),
            Self::BadCharacter(at) => write!(f, "its character at byte {} is not allowed", at + 1),
        }
    }
}

impl std::error::Error for MalformedTenantId {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_canonical_form_per_uuid() {
        let upper: TenantId = "7F0C2B9E-2D0A-4C57-9A56-0F6C3A7A9E11".parse().unwrap();
        let lower: TenantId = "7f0c2b9e-2d0a-4c57-9a56-0f6c3a7a9e11".parse().unwrap();
        assert_eq!(upper, lower);
        assert_eq!(lower.uuid().unwrap()[..3], [0x7f, 0x0c, 0x2b]);
        // Thirty-two digits without hyphens are a text id: a table keyed by text may hold just that.
        assert_eq!("7F0C2B9E2D0A4C579A560F6C3A7A9E11".parse::<TenantId>().unwrap().uuid(), None);
    }

    #[test]
    fn numbers_are_numbers_in_one_form_only() {
        let bigint = |s: &str| s.parse::<TenantId>().unwrap().bigint();
        assert_eq!(bigint("0"), Some(0));
        assert_eq!(bigint("9223372036854775807"), Some(i64::MAX));
        assert_eq!(bigint("9223372036854775808"), None);
        assert_eq!(bigint("007"), None);
        assert_eq!(bigint("7a"), None);
    }

    #[test]
    fn what_is_not_an_id_says_why() {
        assert_eq!("".parse::<TenantId>(), Err(MalformedTenantId::Empty));
        assert_eq!("a".repeat(64).parse::<TenantId>(), Err(MalformedTenantId::TooLong));
        for (text, at) in [("-a", 0), ("a b", 1), ("a'b", 1), ("ä", 0), ("a\0", 1), ("a/b", 1), ("a%", 1)] {
            assert_eq!(text.parse::<TenantId>(), Err(MalformedTenantId::BadCharacter(at)), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent(text in "\\PC{0,70}") {
            if let Ok(id) = text.parse::<TenantId>() {
                prop_assert_eq!(id.as_str().parse::<TenantId>(), Ok(id));
                prop_assert!(id.as_str().eq_ignore_ascii_case(&text));
            }
        }
    }
}
