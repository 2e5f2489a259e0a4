//! A statement, what it returned, and what follows it.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::error::Error;

/// A statement and its parameters.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) sql: &'a str,
    pub(crate) params: &'a [&'a (dyn ToSql + Sync)],
    /// The types of the parameters, where the caller says them rather than the server.
    pub(crate) types: Option<&'a [Type]>,
    /// Its rows are wanted, not only their number.
    pub(crate) rows: bool,
}

impl<'a> Step<'a> {
    pub(crate) fn rows(sql: &'a str, params: &'a [&'a (dyn ToSql + Sync)]) -> Step<'a> {
        Step { sql, params, types: None, rows: true }
    }

    pub(crate) fn count(sql: &'a str, params: &'a [&'a (dyn ToSql + Sync)]) -> Step<'a> {
        Step { sql, params, types: None, rows: false }
    }
}

/// Parameters, each with its type, apart.
pub(crate) struct Typed<'a> {
    params: Vec<&'a (dyn ToSql + Sync)>,
    types: Vec<Type>,
}

impl<'a> Typed<'a> {
    pub(crate) fn new(params: &[(&'a (dyn ToSql + Sync), Type)]) -> Typed<'a> {
        Typed {
            params: params.iter().map(|(param, _)| *param).collect(),
            types: params.iter().map(|(_, of)| of.clone()).collect(),
        }
    }

    pub(crate) fn rows<'s>(&'s self, sql: &'s str) -> Step<'s> {
        Step { types: Some(&self.types), ..Step::rows(sql, &self.params) }
    }

    pub(crate) fn count<'s>(&'s self, sql: &'s str) -> Step<'s> {
        Step { types: Some(&self.types), ..Step::count(sql, &self.params) }
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
    /// And then tell how far the log had got, where something was written.
    CommitAndTell,
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
