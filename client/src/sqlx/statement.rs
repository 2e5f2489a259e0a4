//! A query whose text was looked at: `Execute` gives its text only for the query itself.

use ::sqlx::postgres::{PgArguments, PgStatement};
use ::sqlx::{Arguments as _, Execute, Postgres, SqlStr};

use crate::error::Error;
use crate::wire::sql::mentions;

type Arguments = Result<Option<PgArguments>, ::sqlx::error::BoxDynError>;

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
