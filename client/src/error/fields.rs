//! What the server's error says beside its message: which constraint, which column, where in the text.

use crate::error::{Error, Kind};

impl Error {
    /// A row with this key is there already (`23505`). [`constraint`](Self::constraint) says which key.
    pub fn is_unique_violation(&self) -> bool {
        self.code() == Some("23505")
    }

    /// No row came where one was expected: of `query_one`, or sqlx's `RowNotFound`. A statement of its own over
    /// tokio-postgres ([`TenantHandle::query_one`](crate::TenantHandle::query_one)) was committed all the same.
    pub fn is_no_row(&self) -> bool {
        self.0.kind == Kind::NoRow
    }

    /// The name of the constraint that was violated, without its schema: of a check, a key, a foreign key, an
    /// exclusion. From the server.
    pub fn constraint(&self) -> Option<&str> {
        self.server_fields().and_then(|fields| fields.constraint)
    }

    /// The name of the table that the error is about, without its schema. From the server, which names it for violated
    /// constraints and missing values.
    pub fn table(&self) -> Option<&str> {
        self.server_fields().and_then(|fields| fields.table)
    }

    /// The name of the column that the error is about. From the server, which names it for `23502` (not null) and
    /// errors of a column's data type.
    pub fn column(&self) -> Option<&str> {
        self.server_fields().and_then(|fields| fields.column)
    }

    /// Where in the statement's text the error is: the number of a character, from 1. From the server; `None` where the
    /// text is not the caller's, as in a function's body.
    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    fn server_fields(&self) -> Option<Fields<'_>> {
        let source = self.0.source.as_deref()?;
        if let Some(db) = source.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::as_db_error) {
            return Some(Fields { constraint: db.constraint(), table: db.table(), column: db.column() });
        }
        #[cfg(feature = "sqlx")]
        if let Some(sqlx::Error::Database(db)) = source.downcast_ref::<sqlx::Error>() {
            let db = db.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
            return Some(Fields { constraint: db.constraint(), table: db.table(), column: db.column() });
        }
        None
    }
}

struct Fields<'a> {
    constraint: Option<&'a str>,
    table: Option<&'a str>,
    column: Option<&'a str>,
}
