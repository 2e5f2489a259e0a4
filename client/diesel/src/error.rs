//! What the client's errors become in diesel.

use std::sync::Arc;

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use pg_tenant_client::Error;

pub(crate) fn into_diesel(error: Arc<Error>) -> DieselError {
    DieselError::DatabaseError(kind(&error), Box::new(Told(error)))
}

fn kind(error: &Error) -> DatabaseErrorKind {
    use DatabaseErrorKind::{
        CheckViolation, ClosedConnection, ExclusionViolation, ForeignKeyViolation, NotNullViolation,
        ReadOnlyTransaction, RestrictViolation, SerializationFailure, UnableToSendCommand, UniqueViolation, Unknown,
    };
    match error.code() {
        _ if error.is_closed() => ClosedConnection,
        Some("23505") => UniqueViolation,
        Some("23503") => ForeignKeyViolation,
        Some("23001") => RestrictViolation,
        Some("23P01") => ExclusionViolation,
        Some("23502") => NotNullViolation,
        Some("23514") => CheckViolation,
        Some("25006") => ReadOnlyTransaction,
        Some("40001" | "40P01") => SerializationFailure,
        Some(_) => Unknown,
        None => UnableToSendCommand,
    }
}

/// The client's error as diesel asks about it.
struct Told(Arc<Error>);

impl DatabaseErrorInformation for Told {
    fn message(&self) -> &str {
        self.0.message()
    }

    fn details(&self) -> Option<&str> {
        self.0.detail()
    }

    fn hint(&self) -> Option<&str> {
        self.0.hint()
    }

    fn table_name(&self) -> Option<&str> {
        self.0.table()
    }

    fn column_name(&self) -> Option<&str> {
        self.0.column()
    }

    fn constraint_name(&self) -> Option<&str> {
        self.0.constraint()
    }

    fn statement_position(&self) -> Option<i32> {
        self.0.position()?.try_into().ok()
    }
}
