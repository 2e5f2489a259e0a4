//! What the drivers' errors become.

use deadpool::managed::{PoolError, TimeoutType};

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
