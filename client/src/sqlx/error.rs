//! From sqlx's errors to ours, and back.

use std::borrow::Cow;

use ::sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use crate::error::driver::{ends_the_session, is_stale_plan, says_no_meaning};
use crate::error::{Error, Kind};

impl From<::sqlx::Error> for Error {
    fn from(error: ::sqlx::Error) -> Error {
        let kind = match &error {
            ::sqlx::Error::Database(db) => {
                let code = db.code().unwrap_or_default().into_owned();
                let kind = if ends_the_session(&code) { Kind::Closed } else { Kind::Server };
                let mut mapped = Error::new(kind, db.message()).with_code(code);
                if let Some(db) = db.try_downcast_ref::<PgDatabaseError>() {
                    if let Some(detail) = db.detail() {
                        mapped = mapped.with_detail(detail);
                    }
                    if let Some(hint) = db.hint() {
                        mapped = mapped.with_hint(hint);
                    }
                    if let Some(PgErrorPosition::Original(at)) = db.position() {
                        mapped.0.position = Some(at);
                    }
                }
                let stale = is_stale(&error);
                let mapped = if stale { mapped.of_a_stale_plan() } else { mapped.of_an_idle_session() };
                return mapped.with_source(error);
            }
            ::sqlx::Error::PoolTimedOut => Kind::Timeout,
            ::sqlx::Error::PoolClosed | ::sqlx::Error::Io(_) | ::sqlx::Error::WorkerCrashed => Kind::Closed,
            ::sqlx::Error::Configuration(_) => Kind::Config,
            ::sqlx::Error::RowNotFound => Kind::NoRow,
            _ => Kind::Driver,
        };
        match error {
            // One of ours that went through `Executor`.
            ::sqlx::Error::AnyDriverError(ours) => match ours.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => Error::new(Kind::Driver, other.to_string()).with_source(other),
            },
            error if is_before_sending(&error) => Error::new(kind, error.to_string()).not_executed().with_source(error),
            error => Error::new(kind, error.to_string()).with_source(error),
        }
    }
}

/// Getting a connection failed, or putting a value into a message.
fn is_before_sending(error: &::sqlx::Error) -> bool {
    use ::sqlx::Error::{Configuration, Encode, InvalidArgument, PoolClosed, PoolTimedOut, Tls};
    matches!(error, Configuration(_) | Encode(_) | InvalidArgument(_) | PoolClosed | PoolTimedOut | Tls(_))
}

impl Error {
    /// The error of a message with a COMMIT in it. Where it is not the server's, what became of the commit is unknown.
    pub(crate) fn at_commit(error: ::sqlx::Error) -> Error {
        let error = Error::from(error);
        if error.was_not_executed() {
            return error;
        }
        match (error.kind(), error.code()) {
            (Kind::Driver, _) => {
                Error::new(Kind::Closed, "whether it was committed is unknown").maybe_committed().with_source(error)
            }
            // The server may have said it after the commit.
            (Kind::Closed, _) => error.maybe_committed(),
            _ => error,
        }
    }
}

/// `Executor` knows only sqlx's error.
pub(crate) fn into_sqlx(error: Error) -> ::sqlx::Error {
    ::sqlx::Error::AnyDriverError(Box::new(error))
}

/// How an error of a statement with parameters looks where sqlx may have it prepared as it was before a migration. What
/// a function fails of has a context.
pub(super) fn may_be_stale(error: &::sqlx::Error) -> bool {
    let Some(db) = error.as_database_error().and_then(|db| db.try_downcast_ref::<PgDatabaseError>()) else {
        return false;
    };
    is_stale(error) || db.r#where().is_none() && says_no_meaning(db.code(), db.message())
}

/// Certainly, and so the transaction may be run again: its statements are prepared anew then.
pub(super) fn is_stale(error: &::sqlx::Error) -> bool {
    let db = error.as_database_error().and_then(|db| db.try_downcast_ref::<PgDatabaseError>());
    db.is_some_and(|db| matches!(db.code(), "26000" | "42P05") || is_stale_plan(db.code(), db.routine()))
}

/// The server's SQLSTATE, if the error is the server's.
pub(super) fn code(error: &::sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(|db| db.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_ours_survives_the_way_through_the_executor() {
        assert!(Error::from(into_sqlx(Error::interrupted())).is_interrupted());
    }

    #[test]
    fn a_full_pool_is_a_timeout_and_a_closed_one_closed() {
        assert!(Error::from(::sqlx::Error::PoolTimedOut).is_timeout());
        assert!(Error::from(::sqlx::Error::PoolClosed).is_closed());
        assert!(!Error::from(::sqlx::Error::RowNotFound).is_closed());
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_no_proof_that_nothing_was_committed() {
        let unread = || ::sqlx::Error::Protocol("unexpected message".to_owned());
        assert!(!Error::from(unread()).is_closed());
        assert!(Error::at_commit(unread()).is_closed() && Error::at_commit(unread()).outcome_unknown());
    }
}
