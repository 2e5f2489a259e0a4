//! A statement, what it returned, and what follows it.

use tokio_postgres::{Row, types::ToSql};

use crate::error::Error;

/// A statement and its parameters.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) sql: &'a str,
    pub(crate) params: &'a [&'a (dyn ToSql + Sync)],
    /// Its rows are wanted, not only their number.
    pub(crate) rows: bool,
}

impl<'a> Step<'a> {
    pub(crate) fn rows(sql: &'a str, params: &'a [&'a (dyn ToSql + Sync)]) -> Step<'a> {
        Step { sql, params, rows: true }
    }

    pub(crate) fn count(sql: &'a str, params: &'a [&'a (dyn ToSql + Sync)]) -> Step<'a> {
        Step { sql, params, rows: false }
    }
}

/// What one statement returned.
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    pub(crate) affected: u64,
}

/// What follows the statement in the same flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Stay,
    Commit,
    /// And then take away the names of statements from the session, before it goes to somebody else.
    CommitAndForget,
}

pub(crate) fn one(rows: Vec<Row>) -> Result<Row, Error> {
    let found = rows.len();
    opt(rows)?.ok_or_else(|| Error::count("exactly one", found))
}

pub(crate) fn opt(mut rows: Vec<Row>) -> Result<Option<Row>, Error> {
    match rows.len() {
        0 | 1 => Ok(rows.pop()),
        found => Err(Error::count("at most one", found)),
    }
}
