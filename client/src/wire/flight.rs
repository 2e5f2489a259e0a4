//! Flights: messages that are sent together, and the reading of their answers.
//!
//! tokio-postgres encodes a request and hands it to its connection task on the future's first poll, then waits. `join!`
//! polls its futures in the order they are written. So joined requests leave in one poll, in that order: a future that
//! is dropped has sent all of them or none.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures_util::TryStreamExt;
use futures_util::future::{join, join3, join4};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, CopyOutStream, Error as PgError, RowStream, SimpleQueryMessage, Statement};

use crate::tenant::generation::Generation;
use crate::tenant::token::Token;
use crate::wire::form::Form;
use crate::wire::lsn::Lsn;
use crate::wire::outcome::{Stale, did_not_run, is_answered, no_longer_parses, stale_statement, was_not_sent};
use crate::wire::preamble::Messages;
use crate::wire::sql::{COMMIT, COMMIT_AND_FORGET, COMMIT_AND_TELL, ENTER_SIGNED_AND_TELL};
use crate::wire::step::{Answer, Step, Then};

/// The answers of a flight, in the order they were sent. The first error is the cause: what comes after it only says
/// that the transaction has failed.
pub(crate) struct Flight<T> {
    pub(crate) entered: Result<Entered, PgError>,
    pub(crate) answer: Result<T, Failed>,
    pub(crate) committed: Option<Committed>,
}

/// What entering returned; nothing where the flight did not enter.
#[derive(Default)]
pub(crate) struct Entered {
    /// The tenant, where a token said which.
    pub(crate) named: Option<String>,
    pub(crate) generation: Option<Generation>,
}

/// The first statement of a flight that failed.
pub(crate) struct Failed {
    /// Which it is, from 0.
    pub(crate) at: usize,
    pub(crate) error: PgError,
    /// It, or another of the flight, may have run.
    pub(crate) ran: bool,
    /// Preparing it afresh may mend it.
    pub(crate) stale: Option<Stale>,
}

impl From<PgError> for Failed {
    fn from(error: PgError) -> Failed {
        let stale = stale_statement(&error);
        Failed { at: 0, ran: stale.is_none() && !did_not_run(&error), stale, error }
    }
}

impl Failed {
    /// Of what was sent in this form.
    fn of_form(mut self, form: &Form) -> Failed {
        if let (Form::Kept(_), None) = (form, self.stale)
            && no_longer_parses(&self.error)
        {
            self.stale = Some(Stale::Changed);
        }
        self
    }
}

/// The answers to COMMIT and to the probe before it.
pub(crate) struct Committed {
    /// The probe was answered, so COMMIT was reached.
    pub(crate) probed: bool,
    /// The tenant at the end.
    pub(crate) found: Option<String>,
    /// It has written nothing, as far as was told.
    pub(crate) read_only: bool,
    /// How far the log had got, where that was told.
    pub(crate) lsn: Option<Lsn>,
    pub(crate) done: Result<(), PgError>,
}

impl Committed {
    /// No transaction is open: where COMMIT failed it rolled back.
    pub(crate) fn ended(&self) -> bool {
        self.done.as_ref().map_or_else(|error| self.probed && error.as_db_error().is_some(), |()| true)
    }
}

/// `preamble` before a statement, and perhaps commit behind it. Where it is prepared for the next time, that goes
/// before the statement: a text that does not parse fails there, and nothing of it has run.
pub(crate) async fn fly(
    client: &Client,
    preamble: Messages<'_>,
    form: &Form,
    step: Step<'_>,
    then: Then,
) -> (Flight<Answer>, Option<Result<Statement, PgError>>) {
    let unsent = AtomicBool::new(false);
    let (entered, prepared, mut answer, committed) = join4(
        enter(client, preamble),
        prepare_alongside(client, form, step.sql),
        run(client, form, step, &unsent),
        finish_if(client, then, &unsent),
    )
    .await;
    if let (Err(failed), Some(Err(error))) = (&mut answer, &prepared)
        && is_answered(error)
    {
        failed.ran = false; // what does not parse does not run
    }
    (Flight { entered, answer, committed }, prepared)
}

/// `preamble` before a text of several statements.
pub(crate) async fn batch(client: &Client, preamble: Messages<'_>, sql: &str) -> Flight<()> {
    let (entered, answer) = join(enter(client, preamble), client.batch_execute(sql)).await;
    Flight { entered, answer: answer.map_err(Failed::from), committed: None }
}

/// `preamble` before a statement whose rows are read as they come.
pub(crate) async fn stream(client: &Client, preamble: Messages<'_>, step: Step<'_>, form: &Form) -> Flight<RowStream> {
    let params = step.params.iter().copied();
    let rows = async {
        match form {
            Form::Kept(statement) | Form::Prepared(statement) => client.query_raw(statement, params).await,
            Form::Typed(types) | Form::Unnamed(types) => {
                client.query_typed_raw(step.sql, params.zip(types.iter().cloned())).await
            }
        }
    };
    let (entered, answer) = join(enter(client, preamble), rows).await;
    Flight { entered, answer: answer.map_err(|error| Failed::from(error).of_form(form)), committed: None }
}

/// `preamble` before a COPY whose bytes are read as they come.
pub(crate) async fn copy_out(client: &Client, preamble: Messages<'_>, copy: &Statement) -> Flight<CopyOutStream> {
    let (entered, answer) = join(enter(client, preamble), client.copy_out(copy)).await;
    Flight { entered, answer: answer.map_err(Failed::from), committed: None }
}

/// Sends a preamble, and returns what entering returned.
pub(crate) async fn enter(client: &Client, preamble: Messages<'_>) -> Result<Entered, PgError> {
    let Messages { before, token, after } = preamble;
    match token {
        None => Ok(Entered { named: None, generation: simple(client, &before).await? }),
        // Boxed: its future would be a part of each call's, which is moved about.
        Some(token) => Box::pin(enter_signed(client, &before, token, &after)).await,
    }
}

async fn enter_signed(client: &Client, before: &str, token: &Token, after: &str) -> Result<Entered, PgError> {
    let token = token.expose();
    let parameter: [(&(dyn ToSql + Sync), Type); 1] = [(&token, Type::TEXT)];
    let (before, entered, after) =
        join3(simple(client, before), client.query_typed_one(ENTER_SIGNED_AND_TELL, &parameter), simple(client, after))
            .await;
    before?;
    let row = entered?;
    let (named, generation) = (row.try_get(0)?, row.try_get::<_, Option<i64>>(1)?.map(Generation::new));
    after?;
    Ok(Entered { named, generation })
}

/// Runs texts of ours, and returns the generation of the tenant that one of them has entered.
async fn simple(client: &Client, sql: &str) -> Result<Option<Generation>, PgError> {
    if sql.is_empty() {
        return Ok(None);
    }
    let mut generation = None;
    let mut messages = pin!(client.simple_query_raw(sql).await?);
    while let Some(message) = messages.try_next().await? {
        if let SimpleQueryMessage::Row(row) = message
            && let Some(number) = row.try_get("generation").ok().flatten().and_then(|number| number.parse().ok())
        {
            generation = Some(Generation::new(number));
        }
    }
    Ok(generation)
}

/// COMMIT, with the probe in the same message: where the transaction has failed the probe does too, and COMMIT, which
/// PostgreSQL would answer with success, is not reached.
pub(crate) async fn finish(client: &Client, then: Then) -> Committed {
    let sql = match then {
        Then::Stay | Then::Commit => COMMIT,
        Then::CommitAndTell => COMMIT_AND_TELL,
        Then::CommitAndForget => COMMIT_AND_FORGET,
    };
    let tells = then == Then::CommitAndTell;
    let (mut rows, mut ended) = (Vec::with_capacity(1), 0);
    let done = async {
        let mut messages = pin!(client.simple_query_raw(sql).await?);
        while let Some(message) = messages.try_next().await? {
            match message {
                SimpleQueryMessage::Row(row) => rows.push(row.get(0).map(str::to_owned)),
                SimpleQueryMessage::CommandComplete(_) => ended += 1,
                _ => {}
            }
        }
        Ok(())
    };
    let mut done = done.await;
    if tells && ended >= 3 {
        done = Ok(()); // it was committed, and only its position was not told
    }
    let read_only = tells && rows.get(1).is_some_and(Option::is_none);
    let lsn = rows.get(2).and_then(Option::as_deref).and_then(|lsn| lsn.parse().ok());
    Committed { probed: !rows.is_empty(), found: rows.into_iter().next().flatten(), read_only, lsn, done }
}

/// Commits, unless a statement before it could not even be sent: the server would not know that anything had failed.
pub(crate) async fn finish_if(client: &Client, then: Then, unsent: &AtomicBool) -> Option<Committed> {
    match then {
        Then::Stay => None,
        _ if unsent.load(Relaxed) => None,
        then => Some(finish(client, then).await),
    }
}

/// Prepares, for the next time, what is sent without a name.
pub(crate) async fn prepare_alongside(client: &Client, form: &Form, sql: &str) -> Option<Result<Statement, PgError>> {
    match form {
        Form::Typed(types) => Some(Box::pin(client.prepare_typed(sql, types)).await),
        Form::Kept(_) | Form::Prepared(_) | Form::Unnamed(_) => None,
    }
}

/// One statement. `unsent` is set, in the poll that would have sent it, where its parameters cannot be encoded.
pub(crate) async fn run(client: &Client, form: &Form, step: Step<'_>, unsent: &AtomicBool) -> Result<Answer, Failed> {
    let answer = match form {
        Form::Kept(statement) | Form::Prepared(statement) => {
            match client.query_raw(statement, step.params.iter().copied()).await {
                Ok(rows) => collect(rows).await,
                Err(error) => Err(error),
            }
        }
        Form::Unnamed(types) if step.rows => {
            let params = step.params.iter().copied().zip(types.iter().cloned());
            match Box::pin(client.query_typed_raw(step.sql, params)).await {
                Ok(rows) => collect(rows).await,
                Err(error) => Err(error),
            }
        }
        Form::Typed(types) | Form::Unnamed(types) => {
            let params: Vec<_> = step.params.iter().copied().zip(types.iter().cloned()).collect();
            let affected = Box::pin(client.execute_typed(step.sql, &params)).await;
            affected.map(|affected| Answer { rows: Vec::new(), affected })
        }
    };
    answer.map_err(|error| {
        let not_sent = was_not_sent(&error);
        unsent.fetch_or(not_sent, Relaxed);
        let mut failed = Failed::from(error);
        if matches!(form, Form::Unnamed(_)) && failed.error.code() == Some(&SqlState::SYNTAX_ERROR) {
            failed.ran = false; // what does not parse does not run
        }
        // What is known of the types of its parameters may be out of date.
        let typed = match form {
            Form::Kept(statement) => !statement.params().is_empty(),
            Form::Typed(types) | Form::Unnamed(types) => !types.is_empty(),
            Form::Prepared(_) => false,
        };
        if not_sent && typed {
            failed.stale = Some(Stale::Types);
        }
        failed.of_form(form)
    })
}

async fn collect(rows: RowStream) -> Result<Answer, PgError> {
    let mut stream = pin!(rows);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
    }
    Ok(Answer { rows, affected: stream.rows_affected().unwrap_or(0) })
}
