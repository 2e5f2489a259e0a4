//! Why all tenants are worked on.

use crate::error::Error;

/// Why all tenants are worked on: not empty, or nothing is sent.
#[derive(Clone, Debug)]
pub(crate) struct Reason(String);

impl Reason {
    pub(crate) fn new(reason: impl Into<String>) -> Reason {
        Reason(reason.into())
    }

    pub(crate) fn checked(&self) -> Result<&str, Error> {
        let reason = self.0.trim();
        match reason {
            "" => Err(Error::no_reason("it was empty")),
            _ if reason.contains('\0') => Err(Error::no_reason("it contained a null byte")),
            _ => Ok(reason),
        }
    }
}
