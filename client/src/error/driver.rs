//! What the drivers' errors become.

use deadpool::managed::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use crate::error::{Error, Kind};

/// The backend is going away: the connection is of no more use, whatever the call was.
pub(crate) fn ends_the_session(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04") || code.starts_with("08")
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Error {
        let mapped = match error.as_db_error() {
            Some(db) => {
                let code = db.code().code();
                let kind = if ends_the_session(code) { Kind::Closed } else { Kind::Server };
                let mut mapped = Error::new(kind, db.message()).with_code(code);
                if let Some(detail) = db.detail() {
                    mapped = mapped.with_detail(detail);
                }
                if let Some(hint) = db.hint() {
                    mapped = mapped.with_hint(hint);
                }
                mapped
            }
            None => {
                let io = std::error::Error::source(&error).is_some_and(|source| source.is::<std::io::Error>());
                let kind = if error.is_closed() || io { Kind::Closed } else { Kind::Driver };
                Error::new(kind, error.to_string())
            }
        };
        mapped.with_source(error)
    }
}

impl From<PoolError<Error>> for Error {
    fn from(error: PoolError<Error>) -> Error {
        match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(TimeoutType::Wait) => {
                Error::new(Kind::Timeout, "no connection became free within the pool's wait timeout")
            }
            PoolError::Timeout(_) => Error::new(Kind::Timeout, "no connection could be made within the pool's timeout"),
            PoolError::Closed => Error::pool_closed(),
            other => Error::new(Kind::Config, other.to_string()),
        }
    }
}

/// A failed transaction answers every further statement with this: proof that the statement did not run.
pub(crate) fn did_not_run(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(db) => *db.code() == SqlState::IN_FAILED_SQL_TRANSACTION,
        None => was_not_sent(error),
    }
}

/// The server said so: it is no guess of the driver's after the connection was lost.
pub(crate) fn is_answered(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some()
}

/// The text, with the types of its parameters, means nothing (class 42).
pub(crate) fn makes_no_sense(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("42"))
}

/// Encoding it failed: no more of it has left than of a call that was never made. A closed connection proves nothing.
pub(crate) fn was_not_sent(error: &tokio_postgres::Error) -> bool {
    let io = || std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
    error.as_db_error().is_none() && !error.is_closed() && !io()
}

/// Why the server no longer has a prepared statement as it was prepared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stale {
    /// Somebody deallocated it, and perhaps all others.
    Gone,
    /// A table changed, and with it the columns.
    Changed,
}

/// An error before the statement ran, that preparing it again may mend.
pub(crate) fn stale_statement(error: &tokio_postgres::Error) -> Option<Stale> {
    let db = error.as_db_error()?;
    if *db.code() == SqlState::INVALID_SQL_STATEMENT_NAME {
        return Some(Stale::Gone);
    }
    // Somebody has left a statement of that name in a session that a pooler lends. The next name is another.
    if *db.code() == SqlState::DUPLICATE_PSTATEMENT {
        return Some(Stale::Changed);
    }
    let changed = *db.code() == SqlState::FEATURE_NOT_SUPPORTED && db.routine() == Some("RevalidateCachedQuery");
    changed.then_some(Stale::Changed)
}
