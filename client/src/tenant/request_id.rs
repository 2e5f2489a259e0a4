//! Which request a transaction works on.

use std::fmt;
use std::str::FromStr;

use pg_tenant_core::is_plain;

/// The longest, in bytes, as `pg_tenant.request_id` has it.
const LONGEST: usize = 128;

/// The id of a request, for the lines that its transactions leave in `tenant.journal`: a trace id, or what a proxy has
/// put into `x-request-id`. It tells who reads the journal where else to look; it proves nothing, since whoever asks
/// may choose it.
///
/// A text of 1 to 128 bytes, with no control characters, line breaks or marks of direction.
///
/// ```
/// use pg_tenant_client::RequestId;
///
/// let id: RequestId = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
/// assert_eq!(id.as_str(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert!("two\nlines".parse::<RequestId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId {
    length: u8,
    bytes: [u8; LONGEST],
}

/// The text is no [`RequestId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MalformedRequestId;

impl RequestId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl FromStr for RequestId {
    type Err = MalformedRequestId;

    fn from_str(text: &str) -> Result<RequestId, MalformedRequestId> {
        let mut bytes = [0; LONGEST];
        match (u8::try_from(text.len()), bytes.get_mut(..text.len())) {
            (Ok(length @ 1..), Some(place)) if is_plain(text) => {
                place.copy_from_slice(text.as_bytes());
                Ok(RequestId { length, bytes })
            }
            _ => Err(MalformedRequestId),
        }
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestId").field(&self.as_str()).finish()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for MalformedRequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a request id is a text of 1 to {LONGEST} bytes, without control characters")
    }
}

impl std::error::Error for MalformedRequestId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "a\tb", "a\u{202e}b", &"x".repeat(129)] {
            assert_eq!(text.parse::<RequestId>(), Err(MalformedRequestId), "{text:?}");
        }
        for text in ["a", "é", &"x".repeat(128)] {
            assert_eq!(text.parse::<RequestId>().map(|id| id.to_string()).as_deref(), Ok(text));
        }
    }
}
