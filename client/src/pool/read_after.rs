//! What a read must not be older than.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind};
use crate::wire::lsn::Lsn;

/// How far a server's log had got when a transaction was committed: a read that is told of it sees that commit,
/// whichever server answers. See [`TenantHandle::last_write`](crate::TenantHandle::last_write) and
/// [`TenantHandle::read_after`](crate::TenantHandle::read_after).
///
/// It travels as text (a cookie, a header, a message), such as `16/B374D848`, PostgreSQL's `pg_lsn`. Whoever changes it
/// can have a read go to the primary, or to a replica that is older; nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadAfter(pub(crate) Lsn);

impl fmt::Display for ReadAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ReadAfter {
    type Err = Error;

    /// # Errors
    /// A text that is no `pg_lsn`.
    fn from_str(text: &str) -> Result<ReadAfter, Error> {
        let lsn = text.parse().map_err(|_| Error::new(Kind::Config, "the text is no position in a server's log"))?;
        Ok(ReadAfter(lsn))
    }
}
