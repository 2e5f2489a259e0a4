//! A query whose text was looked at: `Execute` gives its text only for the query itself.

use ::sqlx::error::BoxDynError;
use ::sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement};
use ::sqlx::{Arguments as _, Either, Execute, Postgres, SqlStr};

use super::lease::Asked;
use crate::error::Error;
use crate::wire::reads::only_reads;
use crate::wire::sql::mentions;

/// What comes of a query, while it comes.
pub(super) type Step = Result<Either<PgQueryResult, PgRow>, ::sqlx::Error>;

type Arguments = Result<Option<PgArguments>, BoxDynError>;

/// What any query comes to.
pub(super) struct Watched {
    sql: SqlStr,
    statement: Option<PgStatement>,
    /// `None` once they were taken.
    arguments: Option<Arguments>,
    persistent: bool,
}

impl Watched {
    pub(super) fn new<'q>(mut query: impl Execute<'q, Postgres>) -> Watched {
        let (statement, persistent) = (query.statement().cloned(), query.persistent());
        let arguments = Some(query.take_arguments());
        Watched { sql: query.sql(), statement, arguments, persistent }
    }

    pub(super) fn text(&self) -> &str {
        self.sql.as_str()
    }

    /// What it asks of a transaction.
    pub(super) fn asks(&self) -> Asked {
        if only_reads(self.text()) { Asked::Reads } else { Asked::Anything }
    }

    /// sqlx keeps what it prepares for it, by its text alone.
    pub(super) fn is_kept(&self) -> bool {
        self.persistent && self.statement.is_none() && matches!(self.arguments, Some(Ok(Some(_))))
    }

    /// The same, to be sent again.
    pub(super) fn again(&self) -> Option<Watched> {
        let Some(Ok(Some(arguments))) = &self.arguments else { return None };
        let arguments = Some(Ok(Some(arguments.clone())));
        Some(Watched {
            sql: self.sql.clone(),
            statement: self.statement.clone(),
            arguments,
            persistent: self.persistent,
        })
    }

    /// Refuses more arguments than can be sent.
    pub(super) fn check_arguments(&self) -> Result<(), Error> {
        match &self.arguments {
            Some(Ok(Some(arguments))) => Error::check_parameters(arguments.len()),
            _ => Ok(()),
        }
    }

    /// Whether another text may follow in the same message: it has no arguments, so it is sent as a text itself. sqlx
    /// stops reading at COPY, with an error, while the server goes on and would commit.
    pub(super) fn may_be_followed(&self) -> bool {
        matches!(self.arguments, Some(Ok(None))) && !mentions(self.text(), "copy")
    }
}

impl Execute<'_, Postgres> for Watched {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.statement.as_ref()
    }

    fn take_arguments(&mut self) -> Arguments {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

/// A query that gets no name where names do not last.
pub(super) struct Named<E> {
    pub(super) query: E,
    pub(super) never: bool,
}

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Named<E> {
    fn sql(self) -> SqlStr {
        self.query.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.query.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.query.take_arguments()
    }

    fn persistent(&self) -> bool {
        !self.never && self.query.persistent()
    }
}
