//! From the driver's errors to ours.

use deadpool::managed::{PoolError, TimeoutType};
use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::types::WrongType;

use crate::error::{Error, Kind};

/// The backend is going away: the connection is of no more use, whatever the call was.
pub(crate) fn ends_the_session(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04") || code.starts_with("08")
}

/// Serialization failure and deadlock: the transaction lost a conflict, and may win it when it is run again.
pub(crate) fn is_serialization_failure(code: &str) -> bool {
    matches!(code, "40001" | "40P01")
}

/// The server has planned a prepared statement anew, and it returns other columns than it was prepared with.
pub(crate) fn is_stale_plan(code: &str, routine: Option<&str>) -> bool {
    code == "0A000" && routine == Some("RevalidateCachedQuery")
}

/// A name, a type or an operator is not what it was, or is not there.
pub(crate) fn says_no_meaning(code: &str, message: &str) -> bool {
    const CODES: [&str; 13] = [
        "42703", "42883", "42P01", "42804", "42846", "42702", "42725", "42P18", "42704", "42809", "42803", "42P08",
        "3F000",
    ];
    CODES.contains(&code) || code == "XX000" && message.starts_with("cache lookup failed for type")
}

/// Said only where the backend waits for the next statement, which it has not read then.
pub(crate) fn ends_an_idle_session(code: &str) -> bool {
    matches!(code, "57P05" | "25P03")
}

/// A server that cannot be reached for a reason that may be gone soon.
pub(crate) fn is_passing(io: &std::io::Error) -> bool {
    use std::io::ErrorKind::*;
    match io.kind() {
        PermissionDenied => io.raw_os_error().is_none(), // not the server that was asked for
        ConnectionRefused | ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => true,
        NotFound | TimedOut | HostUnreachable | NetworkUnreachable => true,
        _ => io.to_string().starts_with("failed to lookup address information"),
    }
}

const NO_ADDRESS: &str = "the address of the server could not be looked up";

/// How many parameters PostgreSQL's protocol can count in one statement.
const MOST_PARAMETERS: usize = u16::MAX as usize;

impl Error {
    fn of_server(db: &DbError) -> Error {
        let code = db.code().code();
        let kind = if ends_the_session(code) { Kind::Closed } else { Kind::Server };
        let mut mapped = Error::new(kind, db.message()).with_code(code);
        if let Some(detail) = db.detail() {
            mapped = mapped.with_detail(detail);
        }
        if let Some(hint) = db.hint() {
            mapped = mapped.with_hint(hint);
        }
        if let Some(ErrorPosition::Original(at)) = db.position() {
            mapped.0.position = usize::try_from(*at).ok();
        }
        if is_stale_plan(code, db.routine()) {
            return mapped.of_a_stale_plan();
        }
        mapped.of_an_idle_session()
    }

    /// What is certain of a session that ended while it was idle, and what to do about it.
    pub(crate) fn of_an_idle_session(self) -> Error {
        match self.code() {
            Some(code) if ends_an_idle_session(code) => {}
            _ => return self,
        }
        let error = self.not_executed();
        if error.code() == Some("25P03") && error.hint().is_none() {
            return error.with_hint(
                "the transaction waited too long between two statements: \
                 do what takes long before or after it, or raise idle_in_transaction_session_timeout",
            );
        }
        error
    }

    /// The connection was found closed, and this is what the server had said when it closed it.
    pub(crate) fn because(self, said: &DbError) -> Error {
        let mut error = Error::of_server(said).not_executed();
        (error.0.kind, error.0.statement) = (Kind::Closed, self.0.statement);
        error.with_source(self)
    }

    /// A statement cannot have so many parameters. Nothing was sent.
    pub(crate) fn check_parameters(count: usize) -> Result<(), Error> {
        if count <= MOST_PARAMETERS {
            return Ok(());
        }
        let message = format!("a statement takes at most {MOST_PARAMETERS} parameters, and was given {count}");
        Err(Error::new(Kind::Driver, message)
            .with_code("54023")
            .with_hint("send the values as arrays, one parameter for each column: select … from unnest($1::int8[], …)")
            .not_executed())
    }

    /// Getting a connection failed for a reason that may be gone soon: the server is full, starts, stops, changes its
    /// role or is not there.
    pub(crate) fn may_pass(&self) -> bool {
        if self.0.message == NO_ADDRESS {
            return true;
        }
        if let Some(code) = self.code() {
            return matches!(code, "53300" | "57P01" | "57P02" | "57P03");
        }
        let Some(error) = self.0.source.as_deref().and_then(|source| source.downcast_ref::<tokio_postgres::Error>())
        else {
            return false;
        };
        let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
        match io {
            Some(io) => is_passing(io),
            None => error.is_closed(),
        }
    }

    /// `at`, from 0, cannot be sent.
    fn parameter(at: usize, error: &tokio_postgres::Error) -> Error {
        let message = format!("parameter ${} cannot be sent as the type that the statement has for it", at + 1);
        let Some(why) = std::error::Error::source(error) else { return Error::new(Kind::Driver, message) };
        let mapped = Error::new(Kind::Driver, message).with_detail(why.to_string());
        if why.is::<WrongType>() {
            return mapped
                .with_hint("give a value of a Rust type that fits, or cast it in the statement ($1::text::int8)");
        }
        mapped
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Error {
        let mapped = match error.as_db_error() {
            Some(db) => Error::of_server(db),
            None => {
                let text = error.to_string();
                let parameter = text.strip_prefix("error serializing parameter ").and_then(|at| at.parse().ok());
                let io = std::error::Error::source(&error).is_some_and(|source| source.is::<std::io::Error>());
                match parameter {
                    Some(at) => Error::parameter(at, &error),
                    None if cannot_be_encoded(&error) => Error::new(Kind::Driver, text).not_executed(),
                    None if error.is_closed() || io => Error::new(Kind::Closed, text),
                    None => Error::new(Kind::Driver, text),
                }
            }
        };
        mapped.with_source(error)
    }
}

/// The driver could not put it into a message: a text with a NUL in it, a value too large. It says so with an error of
/// I/O, and nothing was sent.
pub(crate) fn cannot_be_encoded(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_none() && error.to_string() == "error encoding message to server"
}

impl Error {
    /// The name of a server could not be looked up.
    pub(crate) fn no_address(error: std::io::Error) -> Error {
        Error::new(Kind::Closed, NO_ADDRESS).with_detail(error.to_string()).with_source(error)
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
