//! Why there is no answer.

use std::error::Error as _;
use std::fmt;

use deadpool_postgres::PoolError;

#[derive(Debug)]
pub enum Fault {
    /// There is no connection, or it broke: it is tried again.
    Lost(String),
    /// The server has said no: SQLSTATE, message, HINT.
    Refused { code: String, message: String, hint: String },
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Fault {
        match error.as_db_error() {
            // Shutting down or starting up (57P), out of connections (53300), a connection that failed (08).
            Some(db) if ["57P0", "5330", "08"].iter().any(|class| db.code().code().starts_with(class)) => {
                Fault::Lost(db.message().to_owned())
            }
            Some(db) => Fault::Refused {
                code: db.code().code().to_owned(),
                message: db.message().to_owned(),
                hint: db.hint().unwrap_or_default().to_owned(),
            },
            None => {
                let source = error.source().map(|source| format!(": {source}"));
                Fault::Lost(format!("{error}{}", source.unwrap_or_default()))
            }
        }
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Fault {
        match error {
            PoolError::Backend(error) => match Fault::from(error) {
                Fault::Refused { code, message, .. } => Fault::Lost(format!("{message} ({code})")),
                lost => lost,
            },
            PoolError::Timeout(_) => Fault::Lost("no connection in time".to_owned()),
            other => Fault::Lost(other.to_string()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Lost(why) => write!(f, "no connection to the database: {why}"),
            Fault::Refused { code, message, hint } if hint.is_empty() => write!(f, "{message} ({code})"),
            Fault::Refused { code, message, hint } => write!(f, "{message} ({code}). {hint}"),
        }
    }
}
