//! What an error says about the statement: whether it was sent, ran and was answered, and whether preparing it again
//! may help.

use tokio_postgres::error::{Severity, SqlState};

use crate::error::driver::{cannot_be_encoded, is_stale_plan, says_no_meaning};

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
    error.as_db_error().is_none() && !error.is_closed() && (!io() || cannot_be_encoded(error))
}

/// PostgreSQL's last words: it has read nothing that was sent behind what it answers with this. A pooler's (`08P01`)
/// are none: it may have sent on what it lost the answer of.
pub(crate) fn is_fatal(error: &tokio_postgres::Error) -> bool {
    const LAST: [&str; 7] = ["57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "53300"];
    let Some(db) = error.as_db_error() else { return false };
    matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) && LAST.contains(&db.code().code())
}

/// The driver cannot read the answer: it has other columns than the statement had when it was prepared.
pub(crate) fn is_unreadable(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_none() && error.to_string() == "error parsing response from server"
}

/// Why the server no longer has a prepared statement as it was prepared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stale {
    /// Somebody deallocated it, and perhaps all others.
    Gone,
    /// A statement of its name is there already.
    Taken,
    /// A table changed, and with it the columns or what the text means.
    Changed,
    /// Its parameters may have other types than another connection, or an earlier call, has learned.
    Types,
}

/// An error before the statement ran, that preparing it again may mend.
pub(crate) fn stale_statement(error: &tokio_postgres::Error) -> Option<Stale> {
    let db = error.as_db_error()?;
    if *db.code() == SqlState::INVALID_SQL_STATEMENT_NAME {
        return Some(Stale::Gone);
    }
    // Somebody has left a statement of that name in a session that a pooler lends. The next name is another.
    if *db.code() == SqlState::DUPLICATE_PSTATEMENT {
        return Some(Stale::Taken);
    }
    is_stale_plan(db.code().code(), db.routine()).then_some(Stale::Changed)
}

/// What a kept statement, which parsed when it was prepared, fails of where its text has another meaning or none by
/// now: it is parsed again before it runs. What a function of its own fails of has a context.
pub(crate) fn no_longer_parses(error: &tokio_postgres::Error) -> bool {
    let Some(db) = error.as_db_error() else { return false };
    db.where_().is_none() && says_no_meaning(db.code().code(), db.message())
}
