//! What the client's errors become in sea-orm, and back.

use std::borrow::Cow;
use std::sync::Arc;

use pg_tenant_client::Error;
use sea_orm::{DbErr, RuntimeErr};

fn runtime(error: sqlx::Error) -> RuntimeErr {
    RuntimeErr::SqlxError(Arc::new(error))
}

pub(crate) fn exec(error: sqlx::Error) -> DbErr {
    DbErr::Exec(runtime(error))
}

pub(crate) fn query(error: sqlx::Error) -> DbErr {
    DbErr::Query(runtime(error))
}

/// Of getting a connection, entering, or ending a transaction.
pub(crate) fn conn(error: Error) -> DbErr {
    DbErr::Conn(runtime(sqlx::Error::AnyDriverError(Box::new(error))))
}

/// One of this crate's own.
pub(crate) fn ended() -> DbErr {
    DbErr::Custom("the transaction has ended, or a call on it was dropped half-way".to_owned())
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// The client's error behind one of sea-orm's: of getting a connection, of entering the tenant (`TN002` unknown,
/// `TN003` not active), or of ending a transaction. `None` for what a statement failed of: that is sqlx's, see
/// [`code`].
pub fn client_error(error: &DbErr) -> Option<&Error> {
    match sqlx_error(error)? {
        sqlx::Error::AnyDriverError(ours) => ours.downcast_ref(),
        _ => None,
    }
}

/// The SQLSTATE behind one of sea-orm's errors, if there is one.
pub fn code(error: &DbErr) -> Option<Cow<'_, str>> {
    match sqlx_error(error)? {
        sqlx::Error::Database(error) => error.code(),
        _ => client_error(error)?.code().map(Cow::Borrowed),
    }
}

/// The transaction lost a conflict (`40001`, `40P01`): nothing was committed, and the whole may be run again.
pub fn is_retryable(error: &DbErr) -> bool {
    matches!(code(error).as_deref(), Some("40001" | "40P01"))
}
