//! Chunks of rows on their way: a few at a time, one behind the other.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::iter::Peekable;
use std::task::Poll;

use futures_util::future::maybe_done;
use tokio_postgres::{Client, Error as PgError, Statement};

use crate::error::Error;
use crate::tx::bulk::columns::Columns;
use crate::tx::bulk::row::BulkRow;
use crate::tx::open_tx::OpenTx;
use crate::wire::flight::finish;
use crate::wire::form::Form;
use crate::wire::step::{Step, Then};

/// How many chunks are under way at most: one being written, one behind it, and two that are read and sent meanwhile.
const UNDER_WAY: usize = 4;

/// Rows, chunk by chunk.
pub(crate) struct Chunks<I: Iterator> {
    rows: Peekable<I>,
    empty: Columns,
    read: u64,
}

impl<R: BulkRow, I: Iterator<Item = R>> Chunks<I> {
    pub(crate) fn new(rows: Peekable<I>, empty: Columns) -> Chunks<I> {
        Chunks { rows, empty, read: 0 }
    }

    fn next(&mut self) -> Result<Columns, Error> {
        let mut chunk = self.empty.anew();
        while !chunk.is_full()
            && let Some(row) = self.rows.next()
        {
            chunk.push(&row, self.read)?;
            self.read += 1;
        }
        Ok(chunk)
    }

    fn are_sent(&mut self) -> bool {
        self.rows.peek().is_none()
    }
}

/// Why it ended early.
enum Ended {
    /// A row could not be encoded.
    Here(Error),
    There(PgError),
}

impl OpenTx {
    /// The first chunk goes like any statement, with the preamble before it; the others follow without waiting for it.
    pub(crate) async fn send_chunks<R: BulkRow, I: Iterator<Item = R>>(
        &mut self,
        sql: &str,
        mut chunks: Chunks<I>,
        then: Then,
    ) -> Result<u64, Error> {
        let first = chunks.next()?;
        let alone = chunks.are_sent();
        let step = Step::count(sql, &[]);
        let written = {
            let params = first.params();
            self.send(Step { params: &params, ..step }, if alone { then } else { Then::Stay }).await?.affected
        };
        drop(first);
        if alone {
            return Ok(written);
        }
        let statement = match self.form(&step) {
            Some(Form::Kept(statement)) => statement,
            _ => self.prepare(&Step::count(sql, &[])).await?,
        };
        let then = self.then(then);
        let client = &self.lease.start_call().client;
        let sent = follow(client, &statement, &mut chunks).await;
        // Where its name does not last, it is closed before the commit.
        drop(statement);
        let committed = match (&sent, then) {
            (Ok(_), Then::Commit | Then::CommitAndTell | Then::CommitAndForget) => Some(finish(client, then).await),
            _ => None,
        };
        self.lease.finish_call(!committed.as_ref().is_some_and(|committed| committed.ended()));
        let error = match sent {
            Ok(more) => {
                committed.map_or(Ok(()), |committed| self.check_commit(committed))?;
                return Ok(written + more);
            }
            Err(Ended::Here(error)) => error,
            Err(Ended::There(error)) => error.into(),
        };
        let error = self.record_error(error);
        if error.code().is_none() {
            // The server does not know that anything failed, and has some of the rows.
            self.health.fail_with(&error);
        }
        Err(error)
    }
}

/// Sends the chunks that are left. Whatever was sent has been answered when it returns.
async fn follow<R: BulkRow, I: Iterator<Item = R>>(
    client: &Client,
    statement: &Statement,
    chunks: &mut Chunks<I>,
) -> Result<u64, Ended> {
    let (mut under_way, mut written, mut ended) = (VecDeque::with_capacity(UNDER_WAY), 0, None);
    loop {
        while ended.is_none() && under_way.len() < UNDER_WAY && !chunks.are_sent() {
            match chunks.next() {
                Ok(chunk) => {
                    let mut sent = Box::pin(maybe_done(insert(client, statement, chunk)));
                    // The first poll sends it.
                    poll_fn(|cx| Poll::Ready(sent.as_mut().poll(cx).is_ready())).await;
                    under_way.push_back(sent);
                }
                Err(error) => ended = Some(Ended::Here(error)),
            }
        }
        let Some(mut oldest) = under_way.pop_front() else { break };
        oldest.as_mut().await;
        match oldest.as_mut().take_output() {
            Some(Ok(rows)) => written += rows,
            Some(Err(error)) => ended = ended.or(Some(Ended::There(error))),
            None => {}
        }
    }
    ended.map_or(Ok(written), Err)
}

async fn insert(client: &Client, statement: &Statement, chunk: Columns) -> Result<u64, PgError> {
    client.execute(statement, &chunk.params()).await
}
