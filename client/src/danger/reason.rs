//! The reason for working across tenants.

use crate::error::Error;

/// The reason for working across tenants. It must not be empty: nothing is sent otherwise.
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
