//! What travels together, and what came back first.
//!
//! tokio-postgres encodes a request and hands it to its connection task on the future's first poll, then waits. `join!`
//! polls its futures in the order they are written. So joined requests leave in one poll, in that order: a future that
//! is dropped has sent all of them or none.

use futures_util::{TryStreamExt, future::join, future::join3};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error as PgError, Row, Statement};

use crate::begin::ENTER_SIGNED;
use crate::error::Error;
use crate::token::Token;

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
}

/// The answers of a flight, in the order they were sent. The first error is the cause: what comes after it only says
/// that the transaction has failed.
pub(crate) struct Flight<T> {
    /// The tenant, where a token said which.
    pub(crate) entered: Result<Option<String>, PgError>,
    pub(crate) answer: Result<T, PgError>,
    pub(crate) committed: Result<(), PgError>,
}

/// What goes before a statement, if anything does: begin and enter, savepoints. A text, and the parameter of
/// [`ENTER_SIGNED`] where that stands in it.
#[derive(Clone, Copy)]
pub(crate) struct Lead<'a> {
    pub(crate) sql: &'a str,
    pub(crate) token: Option<&'a Token>,
}

impl<'a> Lead<'a> {
    pub(crate) fn new(sql: &'a str, token: &'a Option<Token>) -> Lead<'a> {
        Lead { sql, token: token.as_ref() }
    }
}

/// `lead` (begin and enter, a savepoint) before a statement that is prepared, and perhaps commit behind it.
pub(crate) async fn fly(
    client: &Client,
    lead: Lead<'_>,
    statement: &Statement,
    params: &[&(dyn ToSql + Sync)],
    then: Then,
) -> Flight<Answer> {
    let commit = (then == Then::Commit).then_some("commit");
    let (entered, answer, committed) =
        join3(enter(client, lead), collect(client, statement, params), simple(client, commit)).await;
    Flight { entered, answer, committed }
}

/// `lead` before preparing a statement.
pub(crate) async fn prepare(client: &Client, lead: Lead<'_>, sql: &str) -> Flight<Statement> {
    let (entered, answer) = join(enter(client, lead), client.prepare(sql)).await;
    Flight { entered, answer, committed: Ok(()) }
}

/// `lead` before a text of several statements.
pub(crate) async fn batch(client: &Client, lead: Lead<'_>, sql: &str) -> Flight<()> {
    let (entered, answer) = join(enter(client, lead), client.batch_execute(sql)).await;
    Flight { entered, answer, committed: Ok(()) }
}

/// `lead` before a statement whose rows are read as they come.
pub(crate) async fn stream(
    client: &Client,
    lead: Lead<'_>,
    statement: &Statement,
    params: &[&(dyn ToSql + Sync)],
) -> Flight<tokio_postgres::RowStream> {
    let rows = client.query_raw(statement, params.iter().copied());
    let (entered, answer) = join(enter(client, lead), rows).await;
    Flight { entered, answer, committed: Ok(()) }
}

async fn enter(client: &Client, Lead { sql, token }: Lead<'_>) -> Result<Option<String>, PgError> {
    let some = |sql: &'_ str| !sql.is_empty();
    let Some((token, (before, after))) = token.zip(sql.split_once(ENTER_SIGNED)) else {
        return simple(client, Some(sql).filter(|sql| some(sql))).await.map(|()| None);
    };
    let token = token.expose();
    let parameter: [(&(dyn ToSql + Sync), Type); 1] = [(&token, Type::TEXT)];
    let (before, entered, after) = join3(
        simple(client, Some(before)),
        client.query_typed_one(ENTER_SIGNED, &parameter),
        simple(client, Some(after).filter(|sql| some(sql))),
    )
    .await;
    before?;
    let id = entered?.try_get(0)?;
    after?;
    Ok(Some(id))
}

async fn simple(client: &Client, sql: Option<&str>) -> Result<(), PgError> {
    match sql {
        Some(sql) => client.batch_execute(sql).await,
        None => Ok(()),
    }
}

async fn collect(client: &Client, statement: &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<Answer, PgError> {
    let mut stream = std::pin::pin!(client.query_raw(statement, params.iter().copied()).await?);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
    }
    Ok(Answer { rows, affected: stream.rows_affected().unwrap_or(0) })
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
